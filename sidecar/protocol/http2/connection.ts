import type { Duplex } from 'node:stream';
import type { Clock } from '../../../common/clock.ts';
import type { ProxyError } from '../../errors/proxy-error.ts';
import type { FieldList } from '../head.ts';
import { type BlockPool, Outbox } from '../outbox.ts';
import type { WindowAccount } from '../stream.ts';
import { AbuseGuard, MAX_IDLE_FRAMES, MAX_IDLE_LINK_FRAMES } from './abuse-guard.ts';
import { type FrameHandler, FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  H2_ERROR,
  type H2Error,
  MAX_STREAM_ID,
  MAX_WINDOW,
  PING,
  readUint31,
} from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { KeepAlive } from './keep-alive.ts';
import { SendSchedule } from './send-schedule.ts';
import { DEFAULT_TABLE_BYTES, OUR_SETTINGS, PeerSettings } from './settings.ts';
import type { Http2Stream } from './stream.ts';

/** The connection's receive window: replenished on receipt, so it never stands in the way of a stream. */
const CONNECTION_WINDOW = 16 * 1_048_576;
/** Ids of streams that we reset, remembered because their frames may still be under way. */
const REMEMBERED_RESETS = 256;
/** A peer that leaves so much unread, DATA apart, is dead or hostile. */
const MAX_UNREAD_BYTES = 8 * 1_048_576;
/** WINDOW_UPDATEs below this count as useless unless DATA has called for them. So does DATA on a stream that we have reset. */
const TINY_BYTES = 256;
/** What a frame costs the peer that may have crossed our reset. */
const STRAY_COST = 0.1;
/** After our last frame, what the peer still sends is read and dropped for so long, so that our frames are not lost to a TCP reset. */
const LINGER_MS = 1_000;

export interface Http2Context {
  readonly account: WindowAccount;
  readonly blocks: BlockPool;
  readonly clock: Clock;
  /** The peer is a sidecar: `outrider-*` fields are read and sent. */
  readonly link: boolean;
  /** On the link: what we say of ourselves in the PEER frame; empty elsewhere. */
  readonly hello: Buffer;
  /** On the link: the peer's PEER frame, unchecked JSON. */
  readonly onPeer?: (payload: Buffer) => void;
  /** Streams that the peer may have open at once; to a server: that we open. */
  readonly maxConcurrentStreams: number;
  /** The connection is over; called once. `error` tells why when it was not an orderly end. */
  readonly onClose: (error: ProxyError | undefined) => void;
}

/**
 * One HTTP/2 connection (RFC 9113), the part that both roles share: control frames, windows, settings, and the end.
 * Subclasses say what a header block means. Nothing here throws on what a peer sends: it ends the stream or the connection, with GOAWAY.
 *
 * States: open → (draining: GOAWAY is out or in, open streams go on) → closed.
 */
export abstract class Http2Connection implements FrameHandler {
  readonly account: WindowAccount;
  readonly ourInitialWindow = DEFAULT_WINDOW;
  readonly link: boolean;
  closed = false;
  protected readonly settings = new PeerSettings();
  protected readonly decoder = new HpackDecoder({
    maxTableBytes: OUR_SETTINGS.headerTableBytes,
    maxListBytes: OUR_SETTINGS.maxHeaderListBytes,
    maxFields: OUR_SETTINGS.maxFields,
  });
  protected readonly streams = new Map<number, Http2Stream>();
  protected readonly guard: AbuseGuard;
  protected readonly frames: FrameWriter;
  /** The highest stream id that the peer has opened. */
  protected lastPeerStream = 0;
  /** The highest stream id that our GOAWAYs have left to the peer (RFC 9113 §6.8: it never grows). */
  protected lastAccepted = MAX_STREAM_ID;
  protected goawaySent = false;

  private readonly socket: Duplex;
  private readonly clock: Clock;
  private readonly outbox: Outbox;
  private readonly reader: FrameReader;
  private readonly schedule: SendSchedule;
  private readonly keepAlive: KeepAlive;
  private readonly onPeer: Http2Context['onPeer'];
  private readonly onClose: Http2Context['onClose'];
  private readonly resets = new Set<number>();
  private receiveWindow = CONNECTION_WINDOW;
  private endWhenEmpty = false;

  protected constructor(socket: Duplex, context: Http2Context) {
    this.socket = socket;
    this.account = context.account;
    this.link = context.link;
    this.clock = context.clock;
    this.onPeer = context.onPeer;
    this.onClose = context.onClose;
    this.guard = new AbuseGuard(context.clock, context.link ? MAX_IDLE_LINK_FRAMES : MAX_IDLE_FRAMES);
    this.outbox = new Outbox(socket, context.blocks, () => this.schedule.pump());
    this.frames = new FrameWriter(this.outbox);
    this.schedule = new SendSchedule(this.outbox);
    this.reader = new FrameReader(this);
    this.keepAlive = new KeepAlive(context.clock);
    socket.on('data', (chunk: Buffer) => this.push(chunk));
    socket.on('end', () => this.finish(undefined));
    socket.on('error', error => this.finish(this.closedError('connection_error', error.message)));
    socket.on('close', () => this.finish(undefined));
  }

  /** The header block of a request, of a response or of trailers. Subclasses must decode it in every case. */
  abstract headerBlock(streamId: number, block: Buffer, start: number, end: number, endStream: boolean): void;
  /** The peer takes nothing new; streams above `lastStreamId` were not processed. */
  protected abstract onGoaway(lastStreamId: number, code: number): void;
  /** Neither side has opened this stream yet. */
  protected abstract isIdle(streamId: number): boolean;
  /** The peer has reset an open stream: what that means to the exchange. */
  protected abstract resetBy(code: number): ProxyError;
  /** The error for what the peer did wrong, from this role's point of view. */
  protected abstract protocolError(detail: string): ProxyError;
  /** The error of streams that the connection's end takes along. */
  protected abstract closedError(detail?: string, cause?: string): ProxyError;
  protected onSettings(): void {}
  protected onPingAck(_id: number): void {}

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

  /** Our first frames. `preface` is what a client sends before. */
  protected open(preface: Buffer, settings: Buffer, hello: Buffer): void {
    if (preface.length > 0) this.frames.raw(preface);
    this.frames.raw(settings);
    this.frames.windowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
    if (hello.length > 0) this.frames.peer(hello);
    if (this.link) {
      const lost = (): void => this.finish(this.closedError('connection_lost'));
      this.keepAlive.start(() => this.frames.ping(PING.KEEP_ALIVE), lost);
    }
  }

  /** Of `FrameReader`. */
  protected get unfinished(): number | undefined {
    return this.reader.unfinished;
  }

  // ---- receiving -------------------------------------------------------------------------------------------------

  /** Takes bytes off the wire, however they were cut. */
  push(bytes: Buffer): void {
    this.keepAlive.heard = true;
    this.reader.push(bytes);
    if (this.outbox.unwritten > MAX_UNREAD_BYTES) this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'unread_answers');
  }

  frame(type: number, flags: number, streamId: number, payload: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.WINDOW_UPDATE:
        return this.onWindowUpdate(streamId, payload, start, end);
      case FRAME.RST_STREAM:
        return this.onReset(streamId, payload, start, end);
      case FRAME.SETTINGS:
        return this.onSettingsFrame(flags, streamId, payload, start, end);
      case FRAME.PING:
        return this.onPing(flags, streamId, payload, start, end);
      case FRAME.GOAWAY:
        if (streamId !== 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'goaway_on_stream');
        if (end - start < 8) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'goaway_size');
        this.idle();
        if (!this.closed) this.onGoaway(readUint31(payload, start), payload.readUInt32BE(start + 4));
        return;
      case FRAME.PRIORITY:
        if (streamId === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'priority_on_connection');
        if (end - start !== 5) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'priority_size');
        if (readUint31(payload, start) === streamId) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'self_dependency');
        return this.idle();
      case FRAME.PUSH_PROMISE:
        return this.fail(H2_ERROR.PROTOCOL_ERROR, 'push_refused');
      case FRAME.PEER:
        if (this.link && streamId === 0) this.onPeer?.(payload.subarray(start, end));
        return this.idle();
      default:
        return this.idle();
    }
  }

  protected idle(cost = 1): void {
    if (this.guard.idleFrame(cost)) this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'flood');
  }

  dataBegins(streamId: number, bytes: number): void {
    if (streamId === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'data_on_connection');
    this.receiveWindow -= bytes;
    if (this.receiveWindow < 0) return this.fail(H2_ERROR.FLOW_CONTROL_ERROR, 'connection_window');
    if (this.receiveWindow < CONNECTION_WINDOW >>> 1) {
      this.frames.windowUpdate(0, CONNECTION_WINDOW - this.receiveWindow);
      this.receiveWindow = CONNECTION_WINDOW;
    }
    if (bytes < TINY_BYTES && this.resets.has(streamId)) this.idle(STRAY_COST);
  }

  dataBody(streamId: number, chunk: Buffer, flowBytes: number, end: boolean): void {
    if (chunk.length === 0 && !end) this.idle();
    if (this.closed) return;
    const stream = this.streams.get(streamId);
    if (stream === undefined || stream.remoteEnded) return this.onStrayFrame(streamId, stream);
    const error = stream.receive(chunk, flowBytes, end);
    if (error !== undefined) this.failStream(stream, error, 'body');
  }

  private onWindowUpdate(streamId: number, payload: Buffer, start: number, end: number): void {
    if (end - start !== 4) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'window_update_size');
    const increment = readUint31(payload, start);
    if (increment < TINY_BYTES && this.guard.reply()) return this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'flood');
    if (streamId === 0) {
      if (increment === 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'window_update_zero');
      this.schedule.window += increment;
      if (this.schedule.window > MAX_WINDOW) return this.fail(H2_ERROR.FLOW_CONTROL_ERROR, 'window_overflow');
      return this.schedule.pump();
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (this.isIdle(streamId)) this.fail(H2_ERROR.PROTOCOL_ERROR, 'window_update_idle');
      return;
    }
    if (increment === 0) return this.failStream(stream, H2_ERROR.PROTOCOL_ERROR, 'window_update_zero');
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) return this.failStream(stream, H2_ERROR.FLOW_CONTROL_ERROR, 'window_overflow');
    if (stream.sendable) this.schedule.add(stream);
  }

  private onReset(streamId: number, payload: Buffer, start: number, end: number): void {
    if (end - start !== 4) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'reset_size');
    if (streamId === 0 || this.isIdle(streamId)) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'reset_idle');
    const stream = this.streams.get(streamId);
    // A server may refuse every request of ours; a client that gives up its own costs us work.
    if (stream === undefined || streamId <= this.lastPeerStream) this.idle();
    if (this.closed || stream === undefined) return;
    const code = payload.readUInt32BE(start);
    const expired = this.link && code === H2_ERROR.CERTIFICATE_EXPIRED;
    stream.fail(expired ? this.closedError('certificate_expired') : this.resetBy(code));
  }

  private onSettingsFrame(flags: number, streamId: number, payload: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'settings_on_stream');
    this.idle(1 + (end - start) / 60);
    if (this.closed) return;
    if ((flags & FLAG.ACK) !== 0) {
      if (end !== start) this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'settings_ack_size');
      return;
    }
    if ((end - start) % 6 !== 0) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'settings_size');
    const before = this.settings.initialWindow;
    const error = this.settings.apply(payload, start, end);
    if (error !== undefined) return this.fail(error, 'settings_value');
    if (this.settings.leastTableBytes < DEFAULT_TABLE_BYTES) this.frames.tableShrunk();
    this.frames.settingsAck();
    const change = this.settings.initialWindow - before;
    if (change !== 0) this.moveWindows(change);
    if (!this.closed) this.onSettings();
  }

  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE concerns open streams too; their windows may become negative (RFC 9113 §6.9.2). */
  private moveWindows(change: number): void {
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) return this.fail(H2_ERROR.FLOW_CONTROL_ERROR, 'window_overflow');
    }
    if (change > 0) for (const stream of [...this.streams.values()]) if (stream.sendable) this.schedule.add(stream);
  }

  private onPing(flags: number, streamId: number, payload: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'ping_on_stream');
    if (end - start !== 8) return this.fail(H2_ERROR.FRAME_SIZE_ERROR, 'ping_size');
    if (this.guard.reply()) return this.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'flood');
    if ((flags & FLAG.ACK) !== 0) this.onPingAck(payload.readUInt32BE(start + 4));
    else this.frames.pingAck(payload, start);
  }

  /** DATA or HEADERS for a stream that is over: ignored when they may still have been under way, else an error (RFC 9113 §5.1). */
  private onStrayFrame(streamId: number, stream: Http2Stream | undefined): void {
    if (this.isIdle(streamId)) return this.fail(H2_ERROR.PROTOCOL_ERROR, 'idle_stream');
    if (this.wasReset(streamId)) return;
    if (stream !== undefined) return this.failStream(stream, H2_ERROR.STREAM_CLOSED, 'after_end');
    this.writeReset(streamId, H2_ERROR.STREAM_CLOSED);
    this.idle();
  }

  /** The same for HEADERS, which were decoded. */
  protected onStrayHeaders(streamId: number, stream: Http2Stream | undefined): void {
    if (this.wasReset(streamId)) this.idle(STRAY_COST);
    else this.onStrayFrame(streamId, stream);
  }

  /** We reset this stream not long ago. */
  protected wasReset(streamId: number): boolean {
    return this.resets.has(streamId);
  }

  // ---- sending, for the streams ------------------------------------------------------------------------------------

  /** True when a stream may write `bytes` of DATA at once, with nobody waiting before it. */
  mayWrite(bytes: number): boolean {
    return this.schedule.mayWrite(bytes);
  }

  writeData(streamId: number, chunk: Buffer, end: boolean): void {
    this.schedule.window -= chunk.length;
    this.guard.dataSent();
    this.frames.data(streamId, chunk, end);
  }

  writeHeaders(streamId: number, block: Buffer, volatile: FieldList, end: boolean): void {
    this.frames.headers(streamId, block, volatile, end);
  }

  writeTrailers(streamId: number, trailers: FieldList): void {
    this.frames.trailers(streamId, trailers);
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    this.frames.windowUpdate(streamId, increment);
  }

  writeReset(streamId: number, code: H2Error): void {
    if (this.resets.size >= REMEMBERED_RESETS) {
      for (const oldest of this.resets) {
        this.resets.delete(oldest);
        break;
      }
    }
    this.resets.add(streamId);
    this.frames.reset(streamId, code);
  }

  /** A stream has something to send that could not go out at once. */
  sendLater(stream: Http2Stream): void {
    this.schedule.add(stream);
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** Called by a stream that is over. */
  remove(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    if (stream.localEnded && stream.remoteEnded) this.guard.useful();
    if (this.endWhenEmpty && this.streams.size === 0) this.end();
  }

  /** RST_STREAM, and the exchange hears of it. */
  protected failStream(stream: Http2Stream, code: H2Error, detail: string): void {
    if (stream.closed) return;
    this.writeReset(stream.id, code);
    stream.fail(this.protocolError(detail));
  }

  protected writeGoaway(code: H2Error): void {
    this.goawaySent = true;
    this.frames.goaway(Math.min(this.lastAccepted, this.lastPeerStream), code);
  }

  /** A connection error: GOAWAY, and the end for every stream. */
  fail(code: H2Error, detail: string): void {
    if (this.closed) return;
    this.writeGoaway(code);
    this.finish(this.protocolError(detail));
  }

  /** Closes in order once no stream is left. */
  protected endSoon(): void {
    this.endWhenEmpty = true;
    if (this.streams.size === 0) this.end();
  }

  private end(): void {
    if (this.closed) return;
    if (!this.goawaySent) this.writeGoaway(H2_ERROR.NO_ERROR);
    this.finish(undefined);
  }

  /** Ends the connection at once; streams that are open fail. */
  close(): void {
    this.end();
  }

  /** The certificates of the connection have ended: what is still open is reset, and the peer is told why. */
  expire(): void {
    if (this.closed) return;
    for (const id of this.streams.keys()) this.writeReset(id, H2_ERROR.CERTIFICATE_EXPIRED);
    this.writeGoaway(H2_ERROR.NO_ERROR);
    this.finish(this.closedError('certificate_expired'));
  }

  private finish(error: ProxyError | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.keepAlive.stop();
    this.outbox.end();
    this.reader.clear();
    this.schedule.clear();
    const linger = this.clock.setTimer(LINGER_MS, () => this.socket.destroy());
    this.socket.once('close', () => linger.cancel());
    const streamError = error ?? this.closedError();
    for (const stream of [...this.streams.values()]) stream.fail(streamError);
    this.onClose(error);
  }
}
