import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, fieldValue, type RequestHead, ResponseHead } from '../head.ts';
import type { ResponseSink, Upstream } from '../stream.ts';
import { ResponseBuilder } from './build-response.ts';
import { Http2Connection, type Http2Context } from './connection.ts';
import { HeadReader, readTrailers } from './decode-head.ts';
import { requestBlock } from './encode-head.ts';
import { H2_ERROR, type H2Error, MAX_STREAM_ID, PREFACE } from './frames.ts';
import { settingsFrame } from './settings.ts';
import { Http2Stream } from './stream.ts';

/** A connection retires after so many stream ids (docs: the mesh link). */
const MAX_STREAM_IDS = 2 ** 30;
/** 1xx heads before the final one; they are under no flow control. */
const MAX_INFORMATIONAL = 100;

export interface Http2ClientContext extends Http2Context {
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
  /** The server has not said yet how many streams it takes. Another sidecar takes many. */
  undecided: boolean;

  constructor(socket: Duplex, context: Http2ClientContext) {
    super(socket, context);
    this.context = context;
    this.undecided = !context.link;
    this.heads = new HeadReader(this.decoder, new ResponseBuilder(context.link));
    this.open(PREFACE, settingsFrame(0, true), context.hello);
  }

  /** True while one more request may start: a single one until the server has said how many it takes. */
  get available(): boolean {
    const { settings, context } = this;
    const limit = this.undecided ? 1 : Math.min(settings.maxConcurrentStreams, context.maxConcurrentStreams);
    return !this.closed && !this.retired && this.streams.size < limit;
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
    this.undecided = false;
    this.context.onRoom();
  }

  override headerBlock(streamId: number, block: Buffer, start: number, end: number, endStream: boolean): void {
    const stream = this.streams.get(streamId) as ClientStream | undefined;
    if (stream?.headSeen === true) return this.onTrailers(stream, block, start, end, endStream);
    const problem = this.heads.read(block, start, end);
    if (problem?.kind === 'compression') return this.fail(H2_ERROR.COMPRESSION_ERROR, problem.detail);
    if (stream === undefined || stream.remoteEnded) return this.onStrayHeaders(streamId, stream);
    if (problem !== undefined) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, problem.detail);
    const problemHere = stream.receiveHead(this.heads.head as ResponseHead, this.heads.volatile, endStream);
    if (problemHere !== '') this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, problemHere);
  }

  private onTrailers(stream: ClientStream, block: Buffer, start: number, end: number, endStream: boolean): void {
    const trailers = readTrailers(this.decoder, block, start, end, this.context.link);
    const problem = 'kind' in trailers ? trailers : undefined;
    if (problem?.kind === 'compression') return this.fail(H2_ERROR.COMPRESSION_ERROR, problem.detail);
    if (stream.remoteEnded) return this.failStream(stream, H2_ERROR.STREAM_CLOSED, 'after_end');
    if ('kind' in trailers) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, trailers.detail);
    if (!endStream || stream.expected > 0) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, 'trailers');
    stream.receiveTrailers(trailers);
  }

  protected override onGoaway(lastStreamId: number, code: number): void {
    this.retire();
    const refused = proxyError('REFUSED', 'goaway', `http2 error ${code}`);
    if (lastStreamId < MAX_STREAM_ID) {
      for (const stream of [...this.streams.values()]) if (stream.id > lastStreamId) stream.fail(refused);
    }
    this.endSoon();
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.nextStream;
  }

  protected override resetBy(code: number): ProxyError {
    if (code === H2_ERROR.REFUSED_STREAM) return proxyError('REFUSED', 'refused_stream');
    return { ...proxyError('UPSTREAM_RESET', 'stream_reset', `http2 error ${code}`), http2Code: code };
  }

  protected override protocolError(detail: string): ProxyError {
    return proxyError('UPSTREAM_PROTOCOL', `http2_${detail}`);
  }

  protected override closedError(detail = 'connection_closed', cause = ''): ProxyError {
    return proxyError('UPSTREAM_CLOSED', detail, cause);
  }
}

class ClientStream extends Http2Stream implements Upstream {
  headSeen = false;
  private informationals = 0;
  /** Upgrade or CONNECT was granted: each direction ends by itself. */
  private tunnel = false;
  private readonly sink: ResponseSink;
  private readonly head: RequestHead;

  constructor(connection: Http2ClientConnection, id: number, sink: ResponseSink, head: RequestHead) {
    super(connection, id);
    this.sink = sink;
    this.head = head;
  }

  /** A response head came in; '' or what is wrong with it. */
  receiveHead(received: ResponseHead, volatile: FieldList, end: boolean): string {
    const { status } = received;
    if (status < 200) {
      if (end || status === 101) return 'informational';
      if (++this.informationals > MAX_INFORMATIONAL) return 'informational_flood';
      this.sink.informational(received);
      return '';
    }
    this.headSeen = true;
    const { method, protocol } = this.head;
    const head = protocol !== '' && status === 200 ? switched(received) : received;
    this.tunnel = head.status === 101 || (method === 'CONNECT' && status === 200);
    if (method === 'HEAD' || status === 204 || status === 304) this.expected = 0;
    else if (!this.tunnel && volatile.length > 0) {
      const length = fieldValue(volatile, 'content-length');
      if (length !== undefined) this.expected = Number(length);
      if (end && this.expected > 0) return 'content_length';
    }
    if (end) this.remoteEnded = true;
    this.sink.responseHead(head, volatile, end);
    if (end) this.closeIfOver();
    return '';
  }

  /** A reset behind the whole answer says that the rest of the request is not wanted (RFC 9113 §8.1); a tunnel has no such thing. */
  protected override get settled(): boolean {
    return this.remoteEnded && !this.tunnel;
  }

  /** No body comes before its head. */
  override receive(chunk: Buffer, flowBytes: number, end: boolean): H2Error | undefined {
    return this.headSeen ? super.receive(chunk, flowBytes, end) : H2_ERROR.PROTOCOL_ERROR;
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

/** The 200 to an extended CONNECT is the 101 of an Upgrade (RFC 8441 §5). Rare: one per connection of a WebSocket. */
const switched = (head: ResponseHead): ResponseHead => new ResponseHead(101, head.fields, head.mesh);
