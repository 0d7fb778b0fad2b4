import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, fieldValue, type RequestHead, ResponseHead } from '../head.ts';
import type { ResponseSink, Upstream } from '../stream.ts';
import { Http2Connection, type Http2Context, LAST_STREAM_ID } from './connection.ts';
import { buildResponseHead, HeadReader, readTrailers } from './decode-head.ts';
import { requestBlock } from './encode-head.ts';
import { H2_ERROR, PREFACE } from './frames.ts';
import { Http2Stream } from './stream.ts';

/** A connection retires after so many stream ids (docs: the mesh link). */
const MAX_STREAM_IDS = 2 ** 30;

export interface Http2ClientContext extends Http2Context {
  /** The peer is a sidecar. */
  readonly link: boolean;
  /** On the link: what we say of ourselves in the PEER frame; empty elsewhere. */
  readonly hello: Buffer;
  readonly onPeer?: (payload: Buffer) => void;
  /** The connection takes no new requests any more (GOAWAY, or its stream ids are used up); open ones go on. */
  readonly onRetire: () => void;
  /** A stream has ended or the peer's limits have changed: there may be room for a request. */
  readonly onRoom: () => void;
}

/** The client's side of an HTTP/2 connection: each request is a stream. */
export class Http2ClientConnection extends Http2Connection {
  private readonly context: Http2ClientContext;
  private readonly heads: HeadReader<ResponseHead>;
  private nextStream = 1;
  private retired = false;

  constructor(socket: Duplex, context: Http2ClientContext) {
    super(socket, context);
    this.context = context;
    this.heads = new HeadReader(this.decoder, buildResponseHead(context.link));
    this.open(PREFACE, 0, true);
    if (context.hello.length > 0) this.writePeerFrame(context.hello);
  }

  /** True while one more request may start. */
  get available(): boolean {
    return (
      !this.closed &&
      !this.retired &&
      this.streams.size < Math.min(this.settings.maxConcurrentStreams, this.context.maxConcurrentStreams)
    );
  }

  get takesRequests(): boolean {
    return !this.closed && !this.retired;
  }

  /** Starts a request; ask `available` first. */
  request(sink: ResponseSink, head: RequestHead, volatile: FieldList, end: boolean): Upstream {
    const id = this.nextStream;
    this.nextStream += 2;
    const stream = new ClientStream(this, id, sink, head);
    this.streams.set(id, stream);
    if (end) stream.localEnded = true;
    this.writeHeaders(id, requestBlock(head), volatile, end);
    if (this.nextStream >= MAX_STREAM_IDS) this.retire();
    return stream;
  }

  /** No new requests; closed when the open ones have ended. */
  drain(): void {
    this.retire();
    this.endSoon();
  }

  private retire(): void {
    if (this.retired) return;
    this.retired = true;
    this.context.onRetire();
  }

  override remove(stream: Http2Stream): void {
    super.remove(stream);
    if (!this.retired && !this.closed) this.context.onRoom();
  }

  protected override onSettings(): void {
    this.context.onRoom();
  }

  protected override onHeaders(streamId: number, block: Buffer, start: number, end: number, endStream: boolean): void {
    const stream = this.streams.get(streamId) as ClientStream | undefined;
    if (stream?.headSeen === true) return this.onTrailers(stream, block, start, end, endStream);
    const problem = this.heads.read(block, start, end);
    if (problem?.kind === 'compression') return this.fail(H2_ERROR.COMPRESSION_ERROR, problem.detail);
    if (stream === undefined || stream.remoteEnded) return this.onStrayFrame(streamId, stream);
    if (problem !== undefined) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, problem.detail);
    const problemHere = stream.receiveHead(this.heads.head as ResponseHead, this.heads.volatile, endStream);
    if (problemHere !== '') this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, problemHere);
  }

  private onTrailers(stream: ClientStream, block: Buffer, start: number, end: number, endStream: boolean): void {
    const trailers = readTrailers(this.decoder, block, start, end, this.context.link);
    if ('kind' in trailers) {
      if (trailers.kind === 'compression') return this.fail(H2_ERROR.COMPRESSION_ERROR, trailers.detail);
      return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, trailers.detail);
    }
    if (stream.remoteEnded) return this.failStream(stream, H2_ERROR.STREAM_CLOSED, 'after_end');
    if (!endStream || stream.expected > 0) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, 'trailers');
    stream.receiveTrailers(trailers);
  }

  protected override onPeerFrame(payload: Buffer): void {
    this.context.onPeer?.(payload);
  }

  protected override onGoaway(lastStreamId: number, code: number): void {
    this.retire();
    const refused = proxyError('REFUSED', 'goaway', `http2 error ${code}`);
    if (lastStreamId < LAST_STREAM_ID) {
      for (const stream of [...this.streams.values()]) if (stream.id > lastStreamId) stream.fail(refused);
    }
    this.endSoon();
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.nextStream;
  }

  protected override resetError(code: number): ProxyError {
    if (code === H2_ERROR.REFUSED_STREAM) return proxyError('REFUSED', 'refused_stream');
    return proxyError('UPSTREAM_RESET', 'stream_reset', `http2 error ${code}`);
  }

  protected override protocolError(detail: string): ProxyError {
    return proxyError('UPSTREAM_PROTOCOL', `http2_${detail}`);
  }

  protected override closedError(): ProxyError {
    return proxyError('UPSTREAM_CLOSED', 'connection_closed');
  }
}

class ClientStream extends Http2Stream implements Upstream {
  headSeen = false;
  private readonly sink: ResponseSink;
  private readonly upgrade: boolean;
  private readonly bodyless: boolean;

  constructor(connection: Http2ClientConnection, id: number, sink: ResponseSink, head: RequestHead) {
    super(connection, id);
    this.sink = sink;
    this.upgrade = head.protocol !== '';
    this.bodyless = head.method === 'HEAD';
  }

  /** A response head came in; '' or what is wrong with it. */
  receiveHead(head: ResponseHead, volatile: FieldList, end: boolean): string {
    if (head.status < 200) {
      if (end || head.status === 101) return 'informational';
      this.sink.informational(head);
      return '';
    }
    this.headSeen = true;
    const length = volatile.length === 0 ? undefined : fieldValue(volatile, 'content-length');
    if (length !== undefined && !this.bodyless && head.status !== 304) {
      this.expected = Number(length);
      if (end && this.expected > 0) return 'content_length';
    }
    if (end) this.remoteEnded = true;
    this.sink.responseHead(this.upgrade && head.status === 200 ? switched(head) : head, volatile, end);
    if (end) this.closeIfOver();
    return '';
  }

  receiveTrailers(trailers: FieldList): void {
    this.remoteEnded = true;
    this.sink.responseTrailers(trailers);
    this.closeIfOver();
  }

  reset(_error: ProxyError): void {
    this.abort(H2_ERROR.CANCEL);
  }

  responseConsumed(bytes: number): void {
    this.consumed(bytes);
  }

  protected override deliver(chunk: Buffer, end: boolean): void {
    this.sink.responseData(chunk, end);
  }

  protected override deliverReset(error: ProxyError): void {
    this.sink.responseReset(error);
  }

  protected override sent(bytes: number): void {
    this.sink.requestConsumed(bytes);
  }
}

/** The 200 that accepts an extended CONNECT is the 101 of an Upgrade (RFC 8441 §5). Rare: one per connection of a WebSocket. */
const switched = (head: ResponseHead): ResponseHead => new ResponseHead(101, head.fields, head.mesh);
