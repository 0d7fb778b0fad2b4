/** The Echo service of `fixtures/echo.proto` on @grpc/grpc-js, as server and as client. */
import { type EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../fixtures/echo.proto', import.meta.url));
/** Over the 5 MB that the tests send. */
const MESSAGE_LIMIT = 8_000_000;

export interface Message {
  readonly payload: Buffer;
  readonly count: number;
  readonly delayMs: number;
  readonly failCode: number;
}

const serialize = (value: Message): Buffer => codec.requestSerialize(value);
const definition = loadSync(PROTO, { keepCase: false, defaults: true })['outrider.test.Echo'];
if (definition === undefined || 'format' in definition) throw new Error('echo.proto has no service Echo');
const codec = definition.Unary!;

const method = (
  name: string,
  requestStream: boolean,
  responseStream: boolean,
): grpc.MethodDefinition<Message, Message> => ({
  path: `/outrider.test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: serialize,
  requestDeserialize: bytes => codec.requestDeserialize(bytes) as Message,
  responseSerialize: value => codec.responseSerialize(value),
  responseDeserialize: bytes => codec.responseDeserialize(bytes) as Message,
});

export const ECHO = {
  Unary: method('Unary', false, false),
  ServerStream: method('ServerStream', false, true),
  ClientStream: method('ClientStream', true, false),
  Bidi: method('Bidi', true, true),
} satisfies grpc.ServiceDefinition;

export const message = (fields: Partial<Message> = {}): Message => ({
  payload: Buffer.alloc(0),
  count: 0,
  delayMs: 0,
  failCode: 0,
  ...fields,
});

/** What the server's side of all four kinds has in common. */
type SurfaceCall = EventEmitter & Pick<grpc.ServerUnaryCall<Message, Message>, 'metadata' | 'sendMetadata'>;

export interface EchoServer extends AsyncDisposable {
  readonly port: number;
  /** Calls whose head arrived. */
  calls: number;
  /** Calls that the client cancelled. */
  cancelled: number;
  /** Metadata of the latest call. */
  lastMetadata: grpc.Metadata;
}

/** A failure with a message that needs percent-encoding and with binary details. */
const failure = (code: number): Partial<grpc.StatusObject> => {
  const metadata = new grpc.Metadata();
  metadata.set('x-detail', 'text');
  metadata.set('grpc-status-details-bin', Buffer.from([8, code, 18, 2, 0xc3, 0xbc]));
  return { code, details: 'Fehler: größer als 100 %', metadata };
};

/** `count` messages, no faster than the caller takes them. */
const streamAnswers = async (call: grpc.ServerWritableStream<Message, Message>): Promise<void> => {
  const cancelled = new Promise(resolve => call.once('cancelled', resolve));
  for (let count = 0; count < call.request.count && !call.cancelled; count++) {
    const room = call.write(message({ payload: call.request.payload, count }));
    if (!room) await Promise.race([once(call, 'drain'), cancelled]);
    if (call.request.delayMs) await new Promise(resolve => setTimeout(resolve, call.request.delayMs));
  }
};

/** Starts the server on a free port. Unary and Bidi give back what they get, and the metadata `x-echo` and `x-echo-bin`. */
export const startEchoServer = async (): Promise<EchoServer> => {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MESSAGE_LIMIT,
    'grpc.max_send_message_length': MESSAGE_LIMIT,
  });
  const begin = (call: SurfaceCall): void => {
    state.calls++;
    state.lastMetadata = call.metadata;
    call.on('cancelled', () => {
      state.cancelled++;
    });
    const head = new grpc.Metadata();
    for (const name of ['x-echo', 'x-echo-bin']) for (const value of call.metadata.get(name)) head.add(name, value);
    call.sendMetadata(head);
  };
  const trailer = new grpc.Metadata();
  trailer.set('x-trailer', 'end');
  server.addService(ECHO, {
    Unary: (call: grpc.ServerUnaryCall<Message, Message>, done: grpc.sendUnaryData<Message>) => {
      begin(call);
      const answer = () => {
        if (call.request.failCode) done(failure(call.request.failCode));
        else done(null, message({ payload: call.request.payload }), trailer);
      };
      const timer = setTimeout(answer, call.request.delayMs);
      call.once('cancelled', () => clearTimeout(timer));
    },
    ServerStream: (call: grpc.ServerWritableStream<Message, Message>) => {
      begin(call);
      void streamAnswers(call).then(() => {
        if (call.request.failCode) call.emit('error', failure(call.request.failCode));
        else call.end(trailer);
      });
    },
    ClientStream: (call: grpc.ServerReadableStream<Message, Message>, done: grpc.sendUnaryData<Message>) => {
      begin(call);
      const payloads: Buffer[] = [];
      call.on('data', (part: Message) => payloads.push(part.payload));
      call.on('end', () => done(null, message({ payload: Buffer.concat(payloads), count: payloads.length }), trailer));
    },
    Bidi: (call: grpc.ServerDuplexStream<Message, Message>) => {
      begin(call);
      call.on('data', (part: Message) => {
        if (part.failCode) call.emit('error', failure(part.failCode));
        else call.write(part);
      });
      call.on('end', () => call.end(trailer));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  const state: EchoServer = {
    port,
    calls: 0,
    cancelled: 0,
    lastMetadata: new grpc.Metadata(),
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
  return state;
};

/** A client of whatever listens on the port, naming `authority`. */
export const echoClient = (port: number, authority: string): grpc.Client =>
  new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.default_authority': authority,
    'grpc.max_receive_message_length': MESSAGE_LIMIT,
    'grpc.max_send_message_length': MESSAGE_LIMIT,
    'grpc.enable_retries': 0,
  });
