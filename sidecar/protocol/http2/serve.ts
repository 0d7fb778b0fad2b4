import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, fieldValue, NO_FIELDS, type RequestHead, type ResponseHead } from '../head.ts';
import type { Downstream, OnRequest, RequestSink } from '../stream.ts';
import { Http2Connection, type Http2Context, LAST_STREAM_ID } from './connection.ts';
import { buildRequestHead, HeadReader, readTrailers } from './decode-head.ts';
import { responseBlock } from './encode-head.ts';
import { H2_ERROR, type H2Error, PREFACE } from './frames.ts';
import { Http2Stream } from './stream.ts';

export interface Http2ServerContext extends Http2Context {
  readonly onRequest: OnRequest;
  /** Answers a request whose head can't be taken (`HEAD_TOO_LARGE`): the answer is made in one place. */
  readonly answer: (downstream: Downstream, error: ProxyError) => void;
  /** The peer is a sidecar: its `outrider-*` fields are read, and ours are sent. */
  readonly link: boolean;
  /** On the link: what we say of ourselves in the PEER frame; empty elsewhere. */
  readonly hello: Buffer;
  /** On the link: the peer's PEER frame, unchecked JSON. */
  readonly onPeer?: (payload: Buffer) => void;
}

/** The server's side of an HTTP/2 connection: requests come in, each a stream that becomes an exchange. */
export class Http2ServerConnection extends Http2Connection {
  readonly link: boolean;
  private readonly context: Http2ServerContext;
  private readonly heads: HeadReader<RequestHead>;
  private prefaceLeft: number = PREFACE.length;
  /** Streams above this are refused: set once GOAWAY is out. */
  private lastAccepted = LAST_STREAM_ID;

  constructor(socket: Duplex, context: Http2ServerContext) {
    super(socket, context);
    this.context = context;
    this.link = context.link;
    this.heads = new HeadReader(this.decoder, buildRequestHead(context.link));
    this.open(Buffer.alloc(0), context.maxConcurrentStreams, false);
    if (context.hello.length > 0) this.writePeerFrame(context.hello);
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
    this.writeGoaway(LAST_STREAM_ID, H2_ERROR.NO_ERROR);
    this.writePing();
  }

  protected override onPingAck(): void {
    if (!this.goawaySent || this.lastAccepted !== LAST_STREAM_ID) return;
    this.lastAccepted = this.lastPeerStream;
    this.writeGoaway(this.lastAccepted, H2_ERROR.NO_ERROR);
    this.endSoon();
  }

  protected override onHeaders(streamId: number, block: Buffer, start: number, end: number, endStream: boolean): void {
    const open = this.streams.get(streamId);
    if (open !== undefined) return this.onTrailers(open as ServerStream, block, start, end, endStream);
    if (streamId % 2 === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'even_stream');
    const problem = this.heads.read(block, start, end);
    if (problem?.kind === 'compression') return this.fail(H2_ERROR.COMPRESSION_ERROR, problem.detail);
    if (streamId <= this.lastPeerStream) return this.fail(H2_ERROR.STREAM_CLOSED, 'stream_reused');
    if (streamId > this.lastAccepted) return; // the client has been told that it was not processed
    this.lastPeerStream = streamId;
    if (this.streams.size >= this.context.maxConcurrentStreams) {
      this.writeReset(streamId, H2_ERROR.REFUSED_STREAM);
      if (this.guard.idleFrame()) this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'too_many_streams');
      return;
    }
    const volatile = problem === undefined ? this.heads.volatile : NO_FIELDS;
    const length = volatile.length === 0 ? undefined : fieldValue(volatile, 'content-length');
    const wrongLength = endStream && length !== undefined && Number(length) !== 0;
    if (problem?.kind === 'malformed' || wrongLength) {
      this.writeReset(streamId, H2_ERROR.PROTOCOL_ERROR);
      if (this.guard.idleFrame()) this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'malformed_flood');
      return;
    }
    const stream = new ServerStream(this, streamId);
    this.streams.set(streamId, stream);
    if (endStream) stream.remoteEnded = true;
    if (length !== undefined) stream.expected = Number(length);
    if (problem !== undefined) return this.context.answer(stream, proxyError('HEAD_TOO_LARGE', problem.detail));
    const head = this.heads.head as RequestHead;
    stream.mayTunnel = head.protocol !== '' || head.method === 'CONNECT';
    stream.sink = this.context.onRequest(stream, head, volatile, endStream);
  }

  private onTrailers(stream: ServerStream, block: Buffer, start: number, end: number, endStream: boolean): void {
    const trailers = readTrailers(this.decoder, block, start, end, this.link);
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

  protected override onGoaway(): void {
    this.endSoon();
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.lastPeerStream;
  }

  protected override resetError(code: number): ProxyError {
    return proxyError('DOWNSTREAM_RESET', 'stream_reset', `http2 error ${code}`);
  }

  protected override protocolError(detail: string): ProxyError {
    return proxyError('DOWNSTREAM_PROTOCOL', `http2_${detail}`);
  }

  protected override closedError(): ProxyError {
    return proxyError('DOWNSTREAM_RESET', 'connection_closed');
  }
}

class ServerStream extends Http2Stream implements Downstream {
  /** Set once the request is handed over; undefined only for a head that was refused. */
  sink: RequestSink | undefined = undefined;
  /** The request asks for a tunnel (Upgrade, CONNECT); `tunnel` once it is granted: then each direction ends by itself. */
  mayTunnel = false;
  private tunnel = false;

  private get server(): Http2ServerConnection {
    return this.connection as Http2ServerConnection;
  }

  sendInformational(head: ResponseHead): void {
    if (!this.closed) this.connection.writeHeaders(this.id, responseBlock(head, this.server.link), NO_FIELDS, false);
  }

  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    if (this.closed) return;
    if (end) this.localEnded = true;
    this.tunnel = this.mayTunnel && (head.status === 101 || head.status === 200);
    this.connection.writeHeaders(this.id, responseBlock(head, this.server.link), volatile, end);
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

  override sendQueued(window: number): number {
    const bytes = super.sendQueued(window);
    this.afterEnd();
    return bytes;
  }

  /** An answer that is complete before its request: the rest of the request is not wanted (RFC 9113 §8.1). */
  private afterEnd(): void {
    if (!this.localEnded || this.closed) return;
    if (this.remoteEnded || this.tunnel) this.closeIfOver();
    else this.abort(H2_ERROR.NO_ERROR);
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

const resetCode = (error: ProxyError): H2Error => {
  if (error.code === 'DOWNSTREAM_PROTOCOL') return H2_ERROR.PROTOCOL_ERROR;
  if (error.code === 'DEADLINE_EXCEEDED' || error.code === 'DOWNSTREAM_RESET') return H2_ERROR.CANCEL;
  return error.retry === 'not-sent' ? H2_ERROR.REFUSED_STREAM : H2_ERROR.INTERNAL_ERROR;
};
