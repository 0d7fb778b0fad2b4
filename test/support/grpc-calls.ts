/** The four kinds of call as plain promises of everything that came back. */
import type { EventEmitter } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { ECHO, type Message } from './grpc-echo.ts';

export interface CallResult {
  readonly messages: readonly Message[];
  readonly head: grpc.Metadata;
  readonly status: grpc.StatusObject;
}

export interface CallOptions {
  readonly metadata?: grpc.Metadata;
  readonly deadlineMs?: number;
}

/** What all four kinds have in common; a call with answers in a stream also emits `data`. */
type AnyCall = EventEmitter & { cancel(): void };

const collect = (start: (done: grpc.requestCallback<Message>) => AnyCall): Promise<CallResult> =>
  new Promise(resolve => {
    const messages: Message[] = [];
    let head = new grpc.Metadata();
    const call = start((_error, value) => {
      if (value) messages.push(value);
    });
    call.on('metadata', (metadata: grpc.Metadata) => {
      head = metadata;
    });
    call.on('data', (value: Message) => messages.push(value));
    call.on('error', () => undefined);
    // One turn later, so that the callback of a unary call has had its value.
    call.on('status', (status: grpc.StatusObject) => setImmediate(() => resolve({ messages, head, status })));
  });

const settings = ({ deadlineMs }: CallOptions): grpc.CallOptions =>
  deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };

export const unary = (client: grpc.Client, value: Message, options: CallOptions = {}): Promise<CallResult> => {
  const { path, requestSerialize, responseDeserialize } = ECHO.Unary;
  const metadata = options.metadata ?? new grpc.Metadata();
  return collect(done =>
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, value, metadata, settings(options), done),
  );
};

/** A unary call to be cancelled; nobody waits for its answer. */
export const beginUnary = (client: grpc.Client, value: Message): grpc.ClientUnaryCall => {
  const { path, requestSerialize, responseDeserialize } = ECHO.Unary;
  return client.makeUnaryRequest(path, requestSerialize, responseDeserialize, value, () => undefined);
};

export const serverStream = (client: grpc.Client, value: Message, options: CallOptions = {}): Promise<CallResult> => {
  const { path, requestSerialize, responseDeserialize } = ECHO.ServerStream;
  const metadata = options.metadata ?? new grpc.Metadata();
  return collect(() =>
    client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, value, metadata, settings(options)),
  );
};

export const clientStream = (client: grpc.Client, values: readonly Message[]): Promise<CallResult> => {
  const { path, requestSerialize, responseDeserialize } = ECHO.ClientStream;
  return collect(done => {
    const call = client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new grpc.Metadata(),
      {},
      done,
    );
    for (const value of values) call.write(value);
    call.end();
    return call;
  });
};

/** An open two-way stream, to be driven by the test. */
export const openBidi = (client: grpc.Client): grpc.ClientDuplexStream<Message, Message> => {
  const { path, requestSerialize, responseDeserialize } = ECHO.Bidi;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata(), {});
};

export const bidi = (client: grpc.Client, values: readonly Message[]): Promise<CallResult> =>
  collect(() => {
    const call = openBidi(client);
    for (const value of values) call.write(value);
    call.end();
    return call;
  });
