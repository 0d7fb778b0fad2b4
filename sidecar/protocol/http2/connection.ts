import type { Duplex } from 'node:stream';
import type { Clock } from '../../../common/clock.ts';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import type { FieldList } from '../head.ts';
import { type BlockPool, Outbox } from '../outbox.ts';
import type { WindowAccount } from '../stream.ts';
import { AbuseGuard } from './abuse-guard.ts';
import { encodeVolatile, volatileBytes } from './encode-head.ts';
import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  H2_ERROR,
  type H2Error,
  MAX_FRAME_BYTES,
  MAX_STREAM_ID,
  MAX_WINDOW,
  readUint31,
  writeFrameHeader,
  writeUint32,
} from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { OUR_SETTINGS, PeerSettings, settingsFrame } from './settings.ts';
import type { Http2Stream } from './stream.ts';

/** The connection's receive window: replenished on receipt, so it never stands in the way of a stream. */
const CONNECTION_WINDOW = 16 * 1_048_576;
/** A header block may come in so many frames. */
const MAX_CONTINUATIONS = 8;
/** Ids of streams that we reset, remembered because their frames may still be under way. */
const REMEMBERED_RESETS = 256;
const EMPTY = Buffer.alloc(0);

export interface Http2Context {
  readonly account: WindowAccount;
  readonly blocks: BlockPool;
  readonly clock: Clock;
  /** Streams that the peer may have open at once. */
  readonly maxConcurrentStreams: number;
  /** The connection is over; called once. `error` tells why when it was not an orderly end. */
  readonly onClose: (error: ProxyError | undefined) => void;
}

/**
 * One HTTP/2 connection (RFC 9113), the part that both roles share: frames, flow control, the order of sending, settings, and the end.
 * Subclasses say what a header block means. Nothing here throws on what a peer sends: it ends the stream or the connection, with GOAWAY.
 */
export abstract class Http2Connection {
  readonly account: WindowAccount;
  readonly ourInitialWindow = DEFAULT_WINDOW;
  protected readonly settings = new PeerSettings();
  protected readonly decoder = new HpackDecoder({
    maxTableBytes: OUR_SETTINGS.headerTableBytes,
    maxListBytes: OUR_SETTINGS.maxHeaderListBytes,
    maxFields: OUR_SETTINGS.maxFields,
  });
  protected readonly streams = new Map<number, Http2Stream>();
  protected readonly guard: AbuseGuard;
  /** The highest stream id that the peer has opened. */
  protected lastPeerStream = 0;
  protected goawaySent = false;
  protected closed = false;

  private readonly socket: Duplex;
  private readonly outbox: Outbox;
  private readonly onClose: Http2Context['onClose'];
  private sendWindow = DEFAULT_WINDOW;
  private receiveWindow = CONNECTION_WINDOW;
  private readonly ready: Http2Stream[] = [];
  private readonly resets = new Set<number>();
  private pending: Buffer = EMPTY;
  private settingsReceived = false;
  private endWhenEmpty = false;
  // DATA whose payload is still coming in.
  private dataStream = 0;
  private dataRemaining = 0;
  private dataEnds = false;
  // A header block in several frames.
  private headerStream = 0;
  private headerFlags = 0;
  private headerParts: Buffer[] = [];
  private headerBytes = 0;

  protected constructor(socket: Duplex, context: Http2Context) {
    this.socket = socket;
    this.account = context.account;
    this.onClose = context.onClose;
    this.guard = new AbuseGuard(context.clock);
    this.outbox = new Outbox(socket, context.blocks, () => this.pump());
    socket.on('data', (chunk: Buffer) => this.push(chunk));
    socket.on('end', () => this.finish(undefined));
    socket.on('error', error => this.finish(proxyError('UPSTREAM_CLOSED', 'connection_error', error.message)));
    socket.on('close', () => this.finish(undefined));
  }

  /** A complete, assembled header block; the stream may exist (trailers, responses) or not (requests). Subclasses must decode it in every case. */
  protected abstract onHeaders(streamId: number, block: Buffer, start: number, end: number, endStream: boolean): void;
  /** Streams above `lastStreamId` were not processed. */
  protected abstract onGoaway(lastStreamId: number, code: number): void;
  /** The link's PEER frame. */
  protected onPeerFrame(_payload: Buffer): void {}
  protected onSettings(): void {}
  protected onPingAck(): void {}

  get peerInitialWindow(): number {
    return this.settings.initialWindow;
  }

  get openStreams(): number {
    return this.streams.size;
  }

  /** Bytes written that the peer's socket has not taken. */
  get unwritten(): number {
    return this.outbox.unwritten;
  }

  /** Our first frames: SETTINGS, and the large connection window. `preface` is what a client sends before. */
  protected open(preface: Buffer, maxConcurrentStreams: number, client: boolean): void {
    if (preface.length > 0) this.outbox.append(preface);
    this.outbox.append(settingsFrame(maxConcurrentStreams, client));
    this.writeWindowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
  }

  // ---- receiving -------------------------------------------------------------------------------------------------

  /** Takes bytes off the wire, however they were cut. */
  push(bytes: Buffer): void {
    const chunk = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    this.pending = EMPTY;
    let at = 0;
    while (at < chunk.length && !this.closed) {
      if (this.dataRemaining > 0) {
        const size = Math.min(this.dataRemaining, chunk.length - at);
        this.dataRemaining -= size;
        this.receiveData(chunk.subarray(at, at + size), size);
        at += size;
        continue;
      }
      if (chunk.length - at < FRAME_HEADER_BYTES) break;
      const length = ((chunk[at] as number) << 16) | ((chunk[at + 1] as number) << 8) | (chunk[at + 2] as number);
      const type = chunk[at + 3] as number;
      const flags = chunk[at + 4] as number;
      const streamId = readUint31(chunk, at + 5);
      if (length > MAX_FRAME_BYTES) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'frame_too_large');
      if (!this.mayFollow(type, streamId)) return;
      if (type === FRAME.DATA && (flags & FLAG.PADDED) === 0) {
        if (!this.beginData(streamId, length, length, (flags & FLAG.END_STREAM) !== 0)) return;
        at += FRAME_HEADER_BYTES;
        continue;
      }
      const start = at + FRAME_HEADER_BYTES;
      if (chunk.length - start < length) break;
      this.onFrame(type, flags, streamId, chunk, start, start + length);
      at = start + length;
    }
    if (at < chunk.length && !this.closed) this.pending = chunk.subarray(at);
  }

  /** The two rules of order: SETTINGS come first, and nothing comes between the frames of a header block. */
  private mayFollow(type: number, streamId: number): boolean {
    if (!this.settingsReceived && type !== FRAME.SETTINGS) this.fail(H2_ERROR.PROTOCOL_ERROR, 'settings_missing');
    else if (this.headerStream !== 0 && (type !== FRAME.CONTINUATION || streamId !== this.headerStream)) {
      this.fail(H2_ERROR.PROTOCOL_ERROR, 'continuation_missing');
    }
    return !this.closed;
  }

  private onFrame(type: number, flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.DATA:
        return this.onPaddedData(flags, streamId, chunk, start, end);
      case FRAME.HEADERS:
        return this.onHeadersFrame(flags, streamId, chunk, start, end);
      case FRAME.CONTINUATION:
        return this.onContinuation(flags, streamId, chunk, start, end);
      case FRAME.WINDOW_UPDATE:
        return this.onWindowUpdate(streamId, chunk, start, end);
      case FRAME.RST_STREAM:
        return this.onResetFrame(streamId, chunk, start, end);
      case FRAME.SETTINGS:
        return this.onSettingsFrame(flags, streamId, chunk, start, end);
      case FRAME.PING:
        return this.onPing(flags, streamId, chunk, start, end);
      case FRAME.GOAWAY:
        if (streamId !== 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'goaway_on_stream');
        if (end - start < 8) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'goaway_size');
        return this.onGoaway(readUint31(chunk, start), chunk.readUInt32BE(start + 4));
      case FRAME.PRIORITY:
        if (streamId === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'priority_on_connection');
        if (end - start !== 5) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'priority_size');
        if (readUint31(chunk, start) === streamId) this.resetStream(streamId, H2_ERROR.PROTOCOL_ERROR);
        return this.idle();
      case FRAME.PUSH_PROMISE:
        return this.fail(H2_ERROR.PROTOCOL_ERROR, 'push_refused');
      case FRAME.PEER:
        if (streamId === 0) this.onPeerFrame(chunk.subarray(start, end));
        return this.idle();
      default:
        return this.idle();
    }
  }

  private idle(cost = 1): void {
    if (this.guard.idleFrame(cost)) this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'flood');
  }

  /** Starts a DATA frame of `flowBytes` (padding counts) whose payload of `length` bytes follows. False: the connection failed. */
  private beginData(streamId: number, length: number, flowBytes: number, ends: boolean): boolean {
    if (streamId === 0) {
      this.fail(H2_ERROR.PROTOCOL_ERROR, 'data_on_connection');
      return false;
    }
    this.receiveWindow -= flowBytes;
    if (this.receiveWindow < 0) {
      this.fail(H2_ERROR.FLOW_CONTROL_ERROR, 'connection_window');
      return false;
    }
    if (this.receiveWindow < CONNECTION_WINDOW >>> 1) {
      this.writeWindowUpdate(0, CONNECTION_WINDOW - this.receiveWindow);
      this.receiveWindow = CONNECTION_WINDOW;
    }
    this.dataStream = streamId;
    this.dataRemaining = length;
    this.dataEnds = ends;
    if (length === 0) {
      if (!ends) this.idle();
      this.receiveData(EMPTY, flowBytes);
    }
    return !this.closed;
  }

  private receiveData(chunk: Buffer, flowBytes: number): void {
    const streamId = this.dataStream;
    const stream = this.streams.get(streamId);
    const ends = this.dataEnds && this.dataRemaining === 0;
    if (stream === undefined || stream.remoteEnded) return this.onStrayFrame(streamId, stream);
    const error = stream.receive(chunk, flowBytes, ends);
    if (error !== undefined) this.failStream(stream, error, 'body');
  }

  private onPaddedData(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    const padding = end > start ? (chunk[start] as number) : 0;
    if (end === start || padding >= end - start) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'padding');
    const ends = (flags & FLAG.END_STREAM) !== 0;
    const body = chunk.subarray(start + 1, end - padding);
    if (!this.beginData(streamId, body.length, end - start, ends) || body.length === 0) return;
    this.dataRemaining = 0;
    this.receiveData(body, end - start);
  }

  private onHeadersFrame(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    if (streamId === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'headers_on_connection');
    let from = start;
    let to = end;
    if ((flags & FLAG.PADDED) !== 0) {
      to -= chunk[from++] ?? 0;
    }
    if ((flags & FLAG.PRIORITY) !== 0) {
      if (to - from >= 5 && readUint31(chunk, from) === streamId)
        return this.fail(H2_ERROR.PROTOCOL_ERROR, 'self_dependency');
      from += 5;
    }
    if (from > to) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'padding');
    if ((flags & FLAG.END_HEADERS) !== 0)
      return this.onHeaders(streamId, chunk, from, to, (flags & FLAG.END_STREAM) !== 0);
    this.headerStream = streamId;
    this.headerFlags = flags;
    this.headerParts = [Buffer.from(chunk.subarray(from, to))];
    this.headerBytes = to - from;
  }

  private onContinuation(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    if (this.headerStream === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'stray_continuation');
    this.headerParts.push(Buffer.from(chunk.subarray(start, end)));
    this.headerBytes += end - start;
    if (this.headerParts.length > MAX_CONTINUATIONS || this.headerBytes > 2 * OUR_SETTINGS.maxHeaderListBytes) {
      return this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'continuation_flood');
    }
    if ((flags & FLAG.END_HEADERS) === 0) return;
    const block = Buffer.concat(this.headerParts);
    this.headerStream = 0;
    this.headerParts = [];
    this.onHeaders(streamId, block, 0, block.length, (this.headerFlags & FLAG.END_STREAM) !== 0);
  }

  private onWindowUpdate(streamId: number, chunk: Buffer, start: number, end: number): void {
    if (end - start !== 4) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'window_update_size');
    const increment = readUint31(chunk, start);
    if (increment < 256) this.idle();
    if (streamId === 0) {
      this.sendWindow += increment;
      if (increment === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'window_update_zero');
      if (this.sendWindow > MAX_WINDOW) return this.fail(H2_ERROR.FLOW_CONTROL_ERROR, 'window_overflow');
      return this.pump();
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (this.isIdle(streamId)) this.fail(H2_ERROR.PROTOCOL_ERROR, 'window_update_idle');
      return;
    }
    stream.sendWindow += increment;
    if (increment === 0) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, 'window_update_zero');
    if (stream.sendWindow > MAX_WINDOW) return this.failStream(stream, H2_ERROR.FLOW_CONTROL_ERROR, 'window_overflow');
    if (stream.sendable) this.schedule(stream);
  }

  private onResetFrame(streamId: number, chunk: Buffer, start: number, end: number): void {
    if (end - start !== 4) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'reset_size');
    if (streamId === 0 || this.isIdle(streamId)) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'reset_idle');
    this.idle();
    const stream = this.streams.get(streamId);
    if (stream !== undefined && !this.closed) stream.fail(this.resetError(chunk.readUInt32BE(start)));
  }

  /** What a RST_STREAM with this code means to the exchange. */
  protected abstract resetError(code: number): ProxyError;

  private onSettingsFrame(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'settings_on_stream');
    if ((flags & FLAG.ACK) !== 0) {
      if (end !== start) this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'settings_ack_size');
      return;
    }
    if ((end - start) % 6 !== 0) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'settings_size');
    if (this.settingsReceived) this.idle(1 + ((end - start) / 6) * 0.1);
    const before = this.settings.initialWindow;
    const error = this.settings.apply(chunk, start, end);
    if (error !== undefined) return this.fail(error, 'settings_value');
    this.settingsReceived = true;
    const change = this.settings.initialWindow - before;
    if (change !== 0) {
      for (const stream of this.streams.values()) {
        stream.sendWindow += change;
        if (stream.sendWindow > MAX_WINDOW) return this.fail(H2_ERROR.FLOW_CONTROL_ERROR, 'window_overflow');
        if (stream.sendable) this.schedule(stream);
      }
    }
    const at = this.outbox.reserve(FRAME_HEADER_BYTES);
    this.outbox.advance(writeFrameHeader(this.outbox.block, at, 0, FRAME.SETTINGS, FLAG.ACK, 0));
    this.onSettings();
  }

  private onPing(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'ping_on_stream');
    if (end - start !== 8) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'ping_size');
    if ((flags & FLAG.ACK) !== 0) return this.onPingAck();
    this.idle();
    if (this.closed) return;
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + 8);
    const body = writeFrameHeader(this.outbox.block, at, 8, FRAME.PING, FLAG.ACK, 0);
    this.outbox.block.set(chunk.subarray(start, end), body);
    this.outbox.advance(body + 8);
  }

  /** Neither side has opened this stream yet. */
  protected abstract isIdle(streamId: number): boolean;

  /** DATA or HEADERS for a stream that is over: ignored when it may still have been under way, else an error (RFC 9113 §5.1). */
  protected onStrayFrame(streamId: number, stream: Http2Stream | undefined): void {
    if (this.isIdle(streamId)) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'idle_stream');
    if (this.resets.has(streamId)) return this.idle(0.1);
    if (stream !== undefined) return this.failStream(stream, H2_ERROR.STREAM_CLOSED, 'after_end');
    this.resetStream(streamId, H2_ERROR.STREAM_CLOSED);
    this.idle();
  }

  // ---- sending ---------------------------------------------------------------------------------------------------

  /** True when a stream may write `bytes` of DATA at once, with nobody waiting before it. */
  mayWrite(bytes: number): boolean {
    return bytes <= this.sendWindow && this.ready.length === 0 && !this.outbox.congested;
  }

  writeData(streamId: number, chunk: Buffer, end: boolean): void {
    this.sendWindow -= chunk.length;
    const at = this.outbox.reserve(FRAME_HEADER_BYTES);
    this.outbox.advance(
      writeFrameHeader(this.outbox.block, at, chunk.length, FRAME.DATA, end ? FLAG.END_STREAM : 0, streamId),
    );
    if (chunk.length > 0) this.outbox.append(chunk);
  }

  /** HEADERS: a block that was encoded before, and volatile fields behind it. */
  writeHeaders(streamId: number, block: Buffer, volatile: FieldList, end: boolean): void {
    const bound = FRAME_HEADER_BYTES + block.length + volatileBytes(volatile);
    const endFlag = end ? FLAG.END_STREAM : 0;
    if (bound - FRAME_HEADER_BYTES > MAX_FRAME_BYTES) return this.writeLongHeaders(streamId, block, volatile, endFlag);
    const at = this.outbox.reserve(bound);
    const out = this.outbox.block;
    const body = at + FRAME_HEADER_BYTES;
    out.set(block, body);
    const finish = encodeVolatile(out, body + block.length, volatile);
    writeFrameHeader(out, at, finish - body, FRAME.HEADERS, FLAG.END_HEADERS | endFlag, streamId);
    this.outbox.advance(finish);
  }

  private writeLongHeaders(streamId: number, block: Buffer, volatile: FieldList, endFlag: number): void {
    const whole = Buffer.allocUnsafe(block.length + volatileBytes(volatile));
    whole.set(block, 0);
    const size = encodeVolatile(whole, block.length, volatile);
    for (let from = 0; from < size; from += MAX_FRAME_BYTES) {
      const to = Math.min(size, from + MAX_FRAME_BYTES);
      const flags = (from === 0 ? endFlag : 0) | (to === size ? FLAG.END_HEADERS : 0);
      const at = this.outbox.reserve(FRAME_HEADER_BYTES);
      const type = from === 0 ? FRAME.HEADERS : FRAME.CONTINUATION;
      this.outbox.advance(writeFrameHeader(this.outbox.block, at, to - from, type, flags, streamId));
      this.outbox.append(whole.subarray(from, to));
    }
  }

  writeTrailers(streamId: number, trailers: FieldList): void {
    this.writeHeaders(streamId, EMPTY, trailers, true);
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    this.writeControl(FRAME.WINDOW_UPDATE, streamId, increment);
  }

  writeReset(streamId: number, code: H2Error): void {
    if (this.resets.size >= REMEMBERED_RESETS) {
      for (const oldest of this.resets) {
        this.resets.delete(oldest);
        break;
      }
    }
    this.resets.add(streamId);
    this.writeControl(FRAME.RST_STREAM, streamId, code);
  }

  /** The link's PEER frame (at most 4 KiB). */
  protected writePeerFrame(payload: Buffer): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES);
    this.outbox.advance(writeFrameHeader(this.outbox.block, at, payload.length, FRAME.PEER, 0, 0));
    this.outbox.append(payload);
  }

  protected writePing(): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + 8);
    const body = writeFrameHeader(this.outbox.block, at, 8, FRAME.PING, 0, 0);
    this.outbox.block.fill(0, body, body + 8);
    this.outbox.advance(body + 8);
  }

  protected writeGoaway(lastStreamId: number, code: H2Error): void {
    this.goawaySent = true;
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + 8);
    const out = this.outbox.block;
    const body = writeFrameHeader(out, at, 8, FRAME.GOAWAY, 0, 0);
    this.outbox.advance(writeUint32(out, writeUint32(out, body, lastStreamId), code));
  }

  private writeControl(type: number, streamId: number, value: number): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + 4);
    const out = this.outbox.block;
    this.outbox.advance(writeUint32(out, writeFrameHeader(out, at, 4, type, 0, streamId), value));
  }

  /** Puts a stream that has something to send into the round. */
  schedule(stream: Http2Stream): void {
    if (!stream.queued) {
      stream.queued = true;
      this.ready.push(stream);
    }
    this.pump();
  }

  /** Sends what waits, one frame per stream in turn, as far as the windows and the socket go. */
  private pump(): void {
    const { ready, outbox } = this;
    while (ready.length > 0 && this.sendWindow > 0 && !outbox.congested && !this.closed) {
      const stream = ready.shift() as Http2Stream;
      if (stream.sendable) stream.sendQueued(this.sendWindow);
      if (!stream.closed && stream.sendable) ready.push(stream);
      else stream.queued = false;
    }
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** Called by a stream that is over. */
  remove(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    this.guard.useful();
    if (this.endWhenEmpty && this.streams.size === 0) this.end();
  }

  /** RST_STREAM, and the exchange hears of it. */
  protected failStream(stream: Http2Stream, code: H2Error, detail: string): void {
    if (stream.closed) return;
    this.writeReset(stream.id, code);
    stream.fail(this.protocolError(detail));
  }

  protected resetStream(streamId: number, code: H2Error): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) this.failStream(stream, code, 'stream');
    else this.writeReset(streamId, code);
  }

  /** The error for what the peer did wrong, from this role's point of view. */
  protected abstract protocolError(detail: string): ProxyError;

  /** A connection error: GOAWAY, and the end for every stream. */
  protected fail(code: H2Error, detail: string): void {
    if (this.closed) return;
    this.writeGoaway(this.lastPeerStream, code);
    this.finish(this.protocolError(detail));
  }

  /** Closes in order once no stream is left; new ones are not accepted. */
  protected endSoon(): void {
    this.endWhenEmpty = true;
    if (this.streams.size === 0) this.end();
  }

  private end(): void {
    if (this.closed) return;
    if (!this.goawaySent) this.writeGoaway(this.lastPeerStream, H2_ERROR.NO_ERROR);
    this.finish(undefined);
  }

  /** Ends the connection at once; streams that are open fail. */
  close(): void {
    this.end();
  }

  private finish(error: ProxyError | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.outbox.end();
    const streamError = error ?? this.closedError();
    for (const stream of [...this.streams.values()]) stream.fail(streamError);
    // What the peer still sends is read and dropped, so that our last frames are not lost to a reset; not for long.
    const patience = setTimeout(() => this.socket.destroy(), 1_000);
    patience.unref();
    this.socket.once('close', () => clearTimeout(patience));
    this.pending = EMPTY;
    this.onClose(error);
  }

  /** The error of streams that the connection's end takes along. */
  protected abstract closedError(): ProxyError;
}

export const LAST_STREAM_ID = MAX_STREAM_ID;
