/** What connections reported, for the tests of the HTTP/1 connections. */
import { once } from 'node:events';
import net from 'node:net';
import type { Test } from 'tap';
import { type ManualClock, manualClock } from '../../../../../common/clock.ts';
import type { ProxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { type FieldList, Fields, type RequestHead, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { Http1ClientConnection } from '../../../../../sidecar/protocol/http1/forward.ts';
import { Http1RequestHeads } from '../../../../../sidecar/protocol/http1/request-heads.ts';
import { Http1ResponseHeads } from '../../../../../sidecar/protocol/http1/response-heads.ts';
import { Http1ServerConnection, type Http1ServerHandler } from '../../../../../sidecar/protocol/http1/serve.ts';
import type { BufferAccount, Downstream, RequestSink, ResponseSink } from '../../../../../sidecar/protocol/stream.ts';

export class Account implements BufferAccount {
  held = 0;
  roomToGrow = true;
  hold(bytes: number): void {
    this.held += bytes;
  }
  release(bytes: number): void {
    this.held -= bytes;
  }
}

/** Lets tests wait for something to have happened, without sleeping. */
export class Signal {
  private waiting: { readonly test: () => boolean; readonly done: () => void }[] = [];
  until(test: () => boolean): Promise<void> {
    if (test()) return Promise.resolve();
    return new Promise(done => this.waiting.push({ test, done }));
  }
  changed(): void {
    this.waiting = this.waiting.filter(({ test, done }) => {
      if (!test()) return true;
      done();
      return false;
    });
  }
}

/** One exchange as a server connection's sink: notes everything. */
export class RecordedRequest implements RequestSink {
  body = '';
  ended = false;
  trailers: FieldList | undefined = undefined;
  reset: ProxyError | undefined = undefined;
  written = 0;
  readonly downstream: Downstream;
  readonly head: RequestHead;
  readonly volatile: FieldList;
  readonly consume: boolean;
  private readonly signal: Signal;

  constructor(
    signal: Signal,
    downstream: Downstream,
    head: RequestHead,
    volatile: FieldList,
    end: boolean,
    consume: boolean,
  ) {
    this.signal = signal;
    this.downstream = downstream;
    this.head = head;
    this.volatile = volatile;
    this.ended = end;
    this.consume = consume;
  }
  requestData(chunk: Buffer, end: boolean): void {
    if (this.ended || this.reset !== undefined) throw new Error('data after the end');
    this.body += chunk.toString('latin1');
    this.ended = end;
    if (this.consume) this.downstream.requestConsumed(chunk.length);
    this.signal.changed();
  }
  requestTrailers(trailers: FieldList): void {
    this.trailers = trailers;
    this.ended = true;
    this.signal.changed();
  }
  requestReset(error: ProxyError): void {
    if (this.reset !== undefined) throw new Error('reset twice');
    this.reset = error;
    this.signal.changed();
  }
  responseConsumed(bytes: number): void {
    this.written += bytes;
    this.signal.changed();
  }
  answer(status: number, body: string, ...fields: string[]): void {
    const head = new ResponseHead(status, new Fields(fields));
    if (body === '') this.downstream.sendHead(head, [], true);
    else {
      this.downstream.sendHead(head, ['content-length', String(Buffer.byteLength(body, 'latin1'))], false);
      this.downstream.sendData(Buffer.from(body, 'latin1'), true);
    }
  }
}

export interface ServerOptions {
  readonly onRequest?: (request: RecordedRequest) => void;
  readonly consume?: boolean;
  readonly onConnect?: Http1ServerHandler['onConnect'];
  readonly requestHeadTimeoutMs?: number;
  readonly keepAliveTimeoutMs?: number;
}

/** A listener whose connections are `Http1ServerConnection`s. */
export class RecordingServer {
  readonly signal = new Signal();
  readonly requests: RecordedRequest[] = [];
  readonly errors: ProxyError[] = [];
  readonly connections: Http1ServerConnection[] = [];
  readonly sockets: net.Socket[] = [];
  readonly account = new Account();
  readonly clock: ManualClock = manualClock();
  closed = 0;
  port = 0;

  static async start(t: Test, options: ServerOptions = {}): Promise<RecordingServer> {
    const self = new RecordingServer();
    const heads = new Http1RequestHeads();
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      const handler: Http1ServerHandler = {
        onRequest: (downstream, head, volatile, end) => {
          const request = new RecordedRequest(self.signal, downstream, head, volatile, end, options.consume ?? true);
          self.requests.push(request);
          options.onRequest?.(request);
          self.signal.changed();
          return request;
        },
        onProtocolError: error => {
          self.errors.push(error);
        },
        onClose: () => {
          self.closed++;
          self.signal.changed();
        },
        ...(options.onConnect && { onConnect: options.onConnect }),
      };
      const { requestHeadTimeoutMs, keepAliveTimeoutMs } = options;
      const context = {
        heads,
        account: self.account,
        clock: self.clock,
        answerError: (error: ProxyError) => ({
          head: new ResponseHead(400, new Fields(['x-detail', error.detail])),
          volatile: ['content-length', '3'],
          body: Buffer.from('bad'),
        }),
        ...(requestHeadTimeoutMs !== undefined && { requestHeadTimeoutMs }),
        ...(keepAliveTimeoutMs !== undefined && { keepAliveTimeoutMs }),
      };
      self.sockets.push(socket);
      self.connections.push(new Http1ServerConnection(socket, context, handler));
      self.signal.changed();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    self.port = (server.address() as net.AddressInfo).port;
    t.teardown(() => {
      for (const socket of self.sockets) socket.destroy();
      server.close();
    });
    return self;
  }
  request(index: number): Promise<RecordedRequest> {
    return this.signal.until(() => this.requests.length > index).then(() => this.requests[index]!);
  }
}

/** A response as a client connection's sink: notes everything. */
export class RecordedResponse implements ResponseSink {
  status = 0;
  list: FieldList = [];
  volatile: FieldList = [];
  shape = '';
  body = '';
  ended = false;
  trailers: FieldList | undefined = undefined;
  reset: ProxyError | undefined = undefined;
  readonly informationals: number[] = [];
  written = 0;
  /** Set to give credit at once. */
  consume: ((bytes: number) => void) | undefined = undefined;
  private readonly signal: Signal;

  constructor(signal: Signal) {
    this.signal = signal;
  }
  informational(head: ResponseHead): void {
    this.informationals.push(head.status);
    this.signal.changed();
  }
  responseHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    if (this.status !== 0) throw new Error('two heads');
    this.status = head.status;
    this.list = head.fields.list;
    this.shape = head.fields.http1Shape;
    this.volatile = volatile;
    this.ended = end;
    this.signal.changed();
  }
  responseData(chunk: Buffer, end: boolean): void {
    if (this.status === 0 || this.ended || this.reset !== undefined) throw new Error('data out of order');
    this.body += chunk.toString('latin1');
    this.ended = end;
    this.consume?.(chunk.length);
    this.signal.changed();
  }
  responseTrailers(trailers: FieldList): void {
    this.trailers = trailers;
    this.ended = true;
    this.signal.changed();
  }
  responseReset(error: ProxyError): void {
    if (this.reset !== undefined || this.ended) throw new Error('reset after the end');
    this.reset = error;
    this.signal.changed();
  }
  requestConsumed(bytes: number): void {
    this.written += bytes;
    this.signal.changed();
  }
  get over(): boolean {
    return this.ended || this.reset !== undefined;
  }
}

/** A client connection to a raw TCP server of the test. */
export class RecordingClient {
  readonly signal = new Signal();
  readonly account = new Account();
  idle = 0;
  closed = 0;
  readonly connection: Http1ClientConnection;
  /** The server's end. */
  readonly peer: net.Socket;
  /** What the server received. */
  received = '';

  private constructor(socket: net.Socket, peer: net.Socket) {
    this.peer = peer;
    this.connection = new Http1ClientConnection(socket, {
      heads: new Http1ResponseHeads(),
      account: this.account,
      onIdle: () => {
        this.idle++;
        this.signal.changed();
      },
      onClose: () => {
        this.closed++;
        this.signal.changed();
      },
    });
    peer.on('data', chunk => {
      this.received += chunk.toString('latin1');
      this.signal.changed();
    });
    peer.on('error', () => undefined);
    peer.on('end', () => {
      this.received += '<end>';
      this.signal.changed();
    });
  }

  static async start(t: Test): Promise<RecordingClient> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const [[peer]] = await Promise.all([once(server, 'connection') as Promise<[net.Socket]>, once(socket, 'connect')]);
    t.teardown(() => {
      socket.destroy();
      peer.destroy();
      server.close();
    });
    return new RecordingClient(socket, peer);
  }

  /** Starts an exchange. */
  request(head: RequestHead, volatile: FieldList = [], end = true) {
    const response = new RecordedResponse(this.signal);
    const upstream = this.connection.request(response, head, volatile, end);
    response.consume = bytes => upstream.responseConsumed(bytes);
    return { response, upstream };
  }
  until(test: () => boolean): Promise<void> {
    return this.signal.until(test);
  }
}
