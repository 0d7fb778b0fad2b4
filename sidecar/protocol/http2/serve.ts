import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, fieldValue, NO_FIELDS, type RequestHead, type ResponseHead } from '../head.ts';
import { BUSY, IdleWatch } from '../idle-watch.ts';
import type { Downstream, OnRequest, RequestSink } from '../stream.ts';
import { RequestBuilder } from './build-request.ts';
import { Http2Connection, type Http2Context } from './connection.ts';
import { HeadReader, readTrailers } from './decode-head.ts';
import { responseBlock } from './encode-head.ts';
import { H2_ERROR, type H2Error, MAX_STREAM_ID, PING, PREFACE } from './frames.ts';
import { settingsFrame } from './settings.ts';
import { Http2Stream } from './stream.ts';

/** A frame or a header block must be complete so long after it began (at most a quarter later); as HTTP/1's head. */
const FRAME_TIMEOUT_MS = 60_000;
/** A connection without a stream is closed after this time; as HTTP/1's. */
const KEEP_ALIVE_TIMEOUT_MS = 3_600_000;

export interface Http2ServerContext extends Http2Context {
  readonly onRequest: OnRequest;
  /** Of request heads (`Fields.http1Shape`). Default: none. */
  readonly shape?: string;
  /** Answers a request whose head can't be taken (`HEAD_TOO_LARGE`): the answer is made in one place. */
  readonly answer: (downstream: Downstream, error: ProxyError) => void;
}

/** The server's side of an HTTP/2 connection: requests come in, each a stream that becomes an exchange. */
export class Http2ServerConnection extends Http2Connection {
  private readonly context: Http2ServerContext;
  private readonly heads: HeadReader<RequestHead>;
  private prefaceLeft: number = PREFACE.length;

  constructor(socket: Duplex, context: Http2ServerContext) {
    super(socket, context);
    this.context = context;
    this.heads = new HeadReader(this.decoder, new RequestBuilder(context.link, context.shape));
    this.open(EMPTY, settingsFrame(context.maxConcurrentStreams, false), context.hello);
    this.watchIdleness(socket, context);
  }

  /** The requests that it carries now. */
  get carries(): Iterable<RequestSink> {
    return this.openSinks();
  }

  private *openSinks(): Generator<RequestSink> {
    for (const stream of this.streams.values()) {
      const { sink } = stream as ServerStream;
      if (sink !== undefined) yield sink;
    }
  }

  /** Peers that begin and do not go on, and those that are idle. A link has its own way to find out who is gone. */
  private watchIdleness(socket: Duplex, { clock, link }: Http2ServerContext): void {
    const halfway = (): number => (this.prefaceLeft > 0 ? 0 : (this.unfinished ?? BUSY));
    const stopped = (): void => this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'unfinished_frame');
    const watches = [new IdleWatch(clock, FRAME_TIMEOUT_MS, halfway, stopped)];
    const streams = (): number => (this.streams.size > 0 ? BUSY : this.lastPeerStream);
    if (!link) watches.push(new IdleWatch(clock, KEEP_ALIVE_TIMEOUT_MS, streams, () => this.close()));
    socket.once('close', () => {
      for (const watch of watches) watch.stop();
    });
  }

  /** Takes bytes off the wire; the client's preface first (RFC 9113 §3.4). */
  override push(bytes: Buffer): void {
    let chunk = bytes;
    if (this.prefaceLeft > 0 && !this.closed) {
      const size = Math.min(this.prefaceLeft, chunk.length);
      const from = PREFACE.length - this.prefaceLeft;
      if (chunk.compare(PREFACE, from, from + size, 0, size) !== 0)
        return this.fail(H2_ERROR.PROTOCOL_ERROR, 'preface');
      this.prefaceLeft -= size;
      chunk = chunk.subarray(size);
      if (chunk.length === 0) return;
    }
    super.push(chunk);
  }

  /**
   * Ends in order (RFC 9113 §6.8): a first GOAWAY that refuses nothing, then, when the client must have seen it, one that names the
   * last stream; closed when the streams that are open have ended.
   */
  drain(): void {
    if (this.closed || this.goawaySent) return;
    this.goawaySent = true;
    this.frames.goaway(MAX_STREAM_ID, H2_ERROR.NO_ERROR);
    this.frames.ping(PING.DRAIN);
  }

  protected override onPingAck(id: number): void {
    if (id !== PING.DRAIN || !this.goawaySent || this.lastAccepted !== MAX_STREAM_ID) return;
    this.lastAccepted = this.lastPeerStream;
    this.writeGoaway(H2_ERROR.NO_ERROR);
    this.endSoon();
  }

  override headerBlock(streamId: number, block: Buffer, start: number, end: number, endStream: boolean): void {
    const open = this.streams.get(streamId);
    if (open !== undefined) return this.onTrailers(open as ServerStream, block, start, end, endStream);
    if (streamId % 2 === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'even_stream');
    const problem = this.heads.read(block, start, end);
    if (problem?.kind === 'compression') return this.fail(H2_ERROR.COMPRESSION_ERROR, problem.detail);
    if (streamId <= this.lastPeerStream) {
      // Trailers that crossed our reset.
      if (this.wasReset(streamId)) return this.onStrayHeaders(streamId, undefined);
      return this.fail(H2_ERROR.STREAM_CLOSED, 'stream_reused');
    }
    this.lastPeerStream = streamId;
    if (streamId > this.lastAccepted || this.streams.size >= this.context.maxConcurrentStreams)
      return this.refuse(streamId, H2_ERROR.REFUSED_STREAM);
    const volatile = problem === undefined ? this.heads.volatile : NO_FIELDS;
    const length = volatile.length === 0 ? undefined : fieldValue(volatile, 'content-length');
    const wrongLength = endStream && length !== undefined && Number(length) !== 0;
    if (problem?.kind === 'malformed' || wrongLength) return this.refuse(streamId, H2_ERROR.PROTOCOL_ERROR);
    const stream = new ServerStream(this, streamId);
    this.streams.set(streamId, stream);
    if (endStream) stream.remoteEnded = true;
    if (length !== undefined) stream.expected = Number(length);
    if (problem !== undefined) return this.context.answer(stream, proxyError('HEAD_TOO_LARGE', problem.detail));
    const head = this.heads.head as RequestHead;
    stream.upgrade = head.protocol !== '';
    stream.connect = head.method === 'CONNECT';
    stream.sink = this.context.onRequest(stream, head, volatile, endStream);
  }

  /** A request that becomes no exchange. Cheap for us, so it counts as a useless frame. */
  private refuse(streamId: number, code: H2Error): void {
    this.writeReset(streamId, code);
    this.idle();
  }

  private onTrailers(stream: ServerStream, block: Buffer, start: number, end: number, endStream: boolean): void {
    const trailers = readTrailers(this.decoder, block, start, end, this.link);
    const problem = 'kind' in trailers ? trailers : undefined;
    if (problem?.kind === 'compression') return this.fail(H2_ERROR.COMPRESSION_ERROR, problem.detail);
    if (stream.remoteEnded) return this.failStream(stream, H2_ERROR.STREAM_CLOSED, 'after_end');
    if ('kind' in trailers) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, trailers.detail);
    if (!endStream || stream.expected > 0) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, 'trailers');
    stream.receiveTrailers(trailers);
  }

  protected override onGoaway(): void {
    this.endSoon();
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.lastPeerStream;
  }

  protected override resetBy(code: number): ProxyError {
    return proxyError('DOWNSTREAM_RESET', 'stream_reset', `http2 error ${code}`);
  }

  protected override protocolError(detail: string): ProxyError {
    return proxyError('DOWNSTREAM_PROTOCOL', `http2_${detail}`);
  }

  protected override closedError(detail = 'connection_closed', cause = ''): ProxyError {
    return proxyError('DOWNSTREAM_RESET', detail, cause);
  }
}

class ServerStream extends Http2Stream implements Downstream {
  /** Set once the request is handed over; undefined only for a head that was refused. */
  sink: RequestSink | undefined = undefined;
  /** The request asks for a tunnel: by Upgrade, or by CONNECT. */
  upgrade = false;
  connect = false;
  /** The tunnel was granted: each direction ends by itself. */
  private tunnel = false;

  sendInformational(head: ResponseHead): void {
    if (!this.closed)
      this.connection.writeHeaders(this.id, responseBlock(head, this.connection.link), NO_FIELDS, false);
  }

  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    if (this.closed) return;
    const { link } = this.connection;
    if (end) this.localEnded = true;
    this.tunnel = (this.upgrade && head.status === 101) || (this.connect && head.status === 200);
    this.connection.writeHeaders(this.id, responseBlock(head, link), volatile, end);
    if (end) this.afterEnd();
  }

  override sendTrailers(trailers: FieldList): void {
    super.sendTrailers(trailers);
    this.afterEnd();
  }

  override sendData(chunk: Buffer, end: boolean): void {
    super.sendData(chunk, end);
    this.afterEnd();
  }

  override sendQueued(window: number): void {
    super.sendQueued(window);
    this.afterEnd();
  }

  /** An answer that is complete before its request: the rest of the request is not wanted (RFC 9113 §8.1). */
  private afterEnd(): void {
    if (!this.localEnded || this.closed) return;
    if (this.remoteEnded || this.tunnel) this.closeIfOver();
    else this.abort(H2_ERROR.NO_ERROR);
  }

  /** The answer is complete: what is left of the request is nobody's any more. */
  protected override close(): void {
    super.close();
    this.releaseHeld();
  }

  reset(error: ProxyError): void {
    this.abort(resetCode(error));
  }

  requestConsumed(bytes: number): void {
    this.consumed(bytes);
  }

  receiveTrailers(trailers: FieldList): void {
    this.remoteEnded = true;
    this.sink?.requestTrailers(trailers);
    this.closeIfOver();
  }

  protected override deliver(chunk: Buffer, end: boolean): void {
    if (this.sink === undefined) this.consumed(chunk.length);
    else this.sink.requestData(chunk, end);
  }

  protected override deliverReset(error: ProxyError): void {
    this.sink?.requestReset(error);
  }

  protected override sent(bytes: number): void {
    this.sink?.responseConsumed(bytes);
  }
}

/** We gave up, for reasons that are not the stream's own. */
const CANCELS: ReadonlySet<string> = new Set(['DEADLINE_EXCEEDED', 'IDLE_TIMEOUT', 'DOWNSTREAM_RESET']);

/** What the destination said is passed on, if it is a code that everybody knows; those of the link alone are not an app's to say. */
const resetCode = (error: ProxyError): H2Error => {
  const passed = STANDARD_CODES.get(error.http2Code ?? -1);
  if (passed !== undefined) return passed;
  if (error.code === 'DOWNSTREAM_PROTOCOL') return H2_ERROR.PROTOCOL_ERROR;
  if (CANCELS.has(error.code)) return H2_ERROR.CANCEL;
  return error.retry === 'not-sent' ? H2_ERROR.REFUSED_STREAM : H2_ERROR.INTERNAL_ERROR;
};

const STANDARD_CODES: ReadonlyMap<number, H2Error> = new Map(
  Object.values(H2_ERROR)
    .filter(code => code !== H2_ERROR.CERTIFICATE_EXPIRED)
    .map(code => [code, code]),
);

const EMPTY = Buffer.alloc(0);
