/** Connections whose sinks note everything, for the tests of the HTTP/2 connections. */
import { setImmediate } from 'node:timers/promises';
import tap, { type Test } from 'tap';
import { manualClock } from '../../../../../common/clock.ts';
import type { ProxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import {
  type FieldList,
  Fields,
  type LinkInfo,
  RequestHead as Request,
  type RequestHead,
  ResponseHead,
} from '../../../../../sidecar/protocol/head.ts';
import { Http2ClientConnection } from '../../../../../sidecar/protocol/http2/forward.ts';
import { Http2ServerConnection } from '../../../../../sidecar/protocol/http2/serve.ts';
import { BlockPool } from '../../../../../sidecar/protocol/outbox.ts';
import type { Downstream, RequestSink, ResponseSink, Upstream } from '../../../../../sidecar/protocol/stream.ts';
import { Account } from '../account.ts';
import { PREFACE, settings, WireSocket } from './wire.ts';

/** What came in one direction of an exchange. */
class Recorded {
  body = '';
  chunks = 0;
  ended = false;
  trailers: FieldList | undefined = undefined;
  reset: ProxyError | undefined = undefined;
  /** Bytes that went out in the other direction. */
  sent = 0;
  protected over(): void {
    if (this.ended || this.reset !== undefined) throw new Error('something came after the end');
  }
  protected data(chunk: Buffer, end: boolean): void {
    this.over();
    this.body += chunk.toString('latin1');
    this.chunks++;
    this.ended = end;
  }
  protected end(trailers: FieldList): void {
    this.over();
    this.trailers = trailers;
    this.ended = true;
  }
}

/** A request as a server connection tells it. */
export class RecordedRequest extends Recorded implements RequestSink {
  readonly downstream: Downstream;
  readonly head: RequestHead;
  readonly volatile: FieldList;
  private readonly consume: boolean;
  constructor(downstream: Downstream, head: RequestHead, volatile: FieldList, end: boolean, consume: boolean) {
    super();
    this.downstream = downstream;
    this.head = head;
    this.volatile = volatile;
    this.ended = end;
    this.consume = consume;
  }
  requestData(chunk: Buffer, end: boolean): void {
    this.data(chunk, end);
    if (this.consume) this.downstream.requestConsumed(chunk.length);
  }
  requestTrailers(trailers: FieldList): void {
    this.end(trailers);
  }
  requestReset(error: ProxyError): void {
    if (this.reset !== undefined) throw new Error('reset twice');
    this.reset = error;
  }
  responseConsumed(bytes: number): void {
    this.sent += bytes;
  }
  answer(status: number, body = '', ...fields: string[]): void {
    this.downstream.sendHead(new ResponseHead(status, new Fields(fields)), [], body === '');
    if (body !== '') this.downstream.sendData(Buffer.from(body), true);
  }
}

/** A response as a client connection tells it. */
export class RecordedResponse extends Recorded implements ResponseSink {
  head: ResponseHead | undefined = undefined;
  volatile: FieldList = [];
  readonly informationals: number[] = [];
  upstream: Upstream | undefined = undefined;
  consume = true;
  get status(): number {
    return this.head?.status ?? 0;
  }
  informational(head: ResponseHead): void {
    this.over();
    this.informationals.push(head.status);
  }
  responseHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    this.over();
    if (this.head !== undefined) throw new Error('two heads');
    this.head = head;
    this.volatile = volatile;
    this.ended = end;
  }
  responseData(chunk: Buffer, end: boolean): void {
    if (this.head === undefined) throw new Error('a body without a head');
    this.data(chunk, end);
    if (this.consume) this.upstream?.responseConsumed(chunk.length);
  }
  responseTrailers(trailers: FieldList): void {
    this.end(trailers);
  }
  responseReset(error: ProxyError): void {
    this.over();
    this.reset = error;
  }
  requestConsumed(bytes: number): void {
    this.sent += bytes;
  }
}

export interface Options {
  readonly link?: boolean;
  readonly hello?: Buffer;
  readonly maxConcurrentStreams?: number;
  /** Give credit at once. */
  readonly consume?: boolean;
  readonly onRequest?: (request: RecordedRequest) => void;
}

const benchesOf = new WeakMap<Test, Bench[]>();

/** A test of connections, at whose end nothing may be held or reserved any more. */
export const test = (name: string, body: (t: Test) => Promise<void>, parent: Test = tap): void => {
  parent.test(name, async t => {
    await body(t);
    for (const bench of benchesOf.get(t) ?? []) bench.finish(t);
  });
};

/** What both roles have. After the test nothing may be held or reserved any more: every kind of end gives everything back. */
abstract class Bench {
  readonly account = new Account();
  readonly clock = manualClock();
  readonly socket: WireSocket;
  readonly closes: (ProxyError | undefined)[] = [];
  readonly peers: string[] = [];
  constructor(t: Test, preface: boolean) {
    this.socket = new WireSocket(preface);
    const benches = benchesOf.get(t) ?? [];
    benches.push(this);
    benchesOf.set(t, benches);
  }
  /** The connection ends, and every account is at 0. */
  finish(t: Test): void {
    this.socket.unstick();
    this.socket.emit('close');
    t.equal(this.account.held, 0, 'nothing stays held');
    t.equal(this.account.reserved, 0, 'nothing stays reserved');
    t.equal(this.closes.length, 1, 'the connection closed once');
  }
  protected context(options: Options) {
    return {
      account: this.account,
      blocks: new BlockPool(),
      clock: this.clock,
      link: options.link ?? false,
      hello: options.hello ?? Buffer.alloc(0),
      onPeer: (payload: Buffer) => {
        this.peers.push(payload.toString());
      },
      maxConcurrentStreams: options.maxConcurrentStreams ?? 100,
      onClose: (error: ProxyError | undefined) => {
        this.closes.push(error);
      },
    };
  }
  /** The peer sends; then what we answer is out. */
  async receive(...frames: readonly Buffer[]): Promise<void> {
    this.socket.emit('data', Buffer.concat(frames));
    await this.settle();
  }
  async settle(): Promise<void> {
    await setImmediate();
    await setImmediate();
  }
  /** What was written since the last time, in short. */
  private seen = 0;
  news(): string[] {
    const { lines } = this.socket;
    const fresh = lines.slice(this.seen);
    this.seen = lines.length;
    return fresh;
  }
  get closed(): boolean {
    return this.closes.length > 0;
  }
}

/** A server connection, and a peer that writes frames. */
export class ServerBench extends Bench {
  readonly requests: RecordedRequest[] = [];
  readonly refused: ProxyError[] = [];
  readonly connection: Http2ServerConnection;

  private constructor(t: Test, options: Options) {
    super(t, false);
    this.connection = new Http2ServerConnection(this.socket, {
      ...this.context(options),
      onRequest: (downstream, head, volatile, end) => {
        const request = new RecordedRequest(downstream, head, volatile, end, options.consume ?? true);
        this.requests.push(request);
        options.onRequest?.(request);
        return request;
      },
      answer: (downstream, error) => {
        this.refused.push(error);
        downstream.sendHead(new ResponseHead(431, new Fields([])), [], false);
        downstream.sendData(Buffer.from('too large'), true);
      },
    });
  }

  /** With the opening done: preface and SETTINGS of the peer. */
  static async open(
    t: Test,
    options: Options = {},
    entries: Readonly<Record<number, number>> = {},
  ): Promise<ServerBench> {
    const bench = new ServerBench(t, options);
    await bench.receive(PREFACE, settings(entries));
    bench.news();
    return bench;
  }
  /** Without it. */
  static bare(t: Test, options: Options = {}): ServerBench {
    return new ServerBench(t, options);
  }
  get request(): RecordedRequest {
    return this.requests.at(-1) as RecordedRequest;
  }
}

export const request = (method = 'GET', path = '/', protocol = '', link?: LinkInfo): RequestHead =>
  new Request(method, 'http', 'a', method === 'CONNECT' ? '' : path, new Fields([]), protocol, link);

/** A client connection, and a peer that writes frames. */
export class ClientBench extends Bench {
  retired = 0;
  rooms = 0;
  readonly connection: Http2ClientConnection;

  private constructor(t: Test, options: Options) {
    super(t, true);
    this.connection = new Http2ClientConnection(this.socket, {
      ...this.context(options),
      onRetire: () => {
        this.retired++;
      },
      onRoom: () => {
        this.rooms++;
      },
    });
  }
  static async open(
    t: Test,
    options: Options = {},
    entries: Readonly<Record<number, number>> = {},
  ): Promise<ClientBench> {
    const bench = new ClientBench(t, options);
    await bench.receive(settings(entries));
    bench.news();
    return bench;
  }
  send(
    head = request(),
    volatile: FieldList = [],
    end = true,
  ): { readonly response: RecordedResponse; readonly upstream: Upstream } {
    const response = new RecordedResponse();
    const upstream = this.connection.request(response, head, volatile, end);
    response.upstream = upstream;
    return { response, upstream };
  }
}
