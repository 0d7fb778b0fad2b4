import { FLAG, FRAME, FRAME_HEADER_BYTES, H2_ERROR, type H2Error, MAX_FRAME_BYTES, readUint31 } from './frames.ts';
import { OUR_SETTINGS } from './settings.ts';

/** A header block may come in so many further frames. */
const MAX_CONTINUATIONS = 8;
/** Bytes of an incomplete frame that are copied, so that they don't keep a whole read buffer alive. */
const SMALL_BYTES = 4_096;
const EMPTY = Buffer.alloc(0);

/** What a connection is told of the frames that come in. Chunks and blocks are views of what was read. */
export interface FrameHandler {
  /** Nothing more is to be told. */
  readonly closed: boolean;
  /** A DATA frame begins: `bytes` of payload, padding included. Its body follows in one or more calls of `dataBody`. */
  dataBegins(streamId: number, bytes: number): void;
  /** Some of a DATA frame's body: `flowBytes` of its payload. `end`: it is the last of the frame, which ends the stream. */
  dataBody(streamId: number, chunk: Buffer, flowBytes: number, end: boolean): void;
  /** A complete header block, of one frame or several. */
  headerBlock(streamId: number, block: Buffer, start: number, end: number, endStream: boolean): void;
  /** Any other frame, with its payload. */
  frame(type: number, flags: number, streamId: number, payload: Buffer, start: number, end: number): void;
  /** The bytes break the framing: a connection error. */
  fail(code: H2Error, detail: string): void;
}

/**
 * Cuts a connection's bytes into frames (RFC 9113 §4, §6.1, §6.2, §6.10), however they were cut on the way: DATA goes on as it comes, other frames
 * when they are whole. Checks what concerns the framing: sizes, padding, SETTINGS first, CONTINUATION without a gap. Owned by its connection.
 */
export class FrameReader {
  private readonly handler: FrameHandler;
  /** The beginning of a frame that is not complete. */
  private pending: Buffer = EMPTY;
  private settingsSeen = false;
  /** Frames that were read. */
  private frames = 0;
  // DATA whose payload is still coming in.
  private dataStream = 0;
  private dataRemaining = 0;
  private dataEnds = false;
  // A header block in several frames.
  private headerStream = 0;
  private headerEnds = false;
  private headerParts: Buffer[] = [];
  private headerBytes = 0;

  constructor(handler: FrameHandler) {
    this.handler = handler;
  }

  push(bytes: Buffer): void {
    const { handler } = this;
    const chunk = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    this.pending = EMPTY;
    let at = 0;
    while (at < chunk.length && !handler.closed) {
      if (this.dataRemaining > 0) {
        const size = Math.min(this.dataRemaining, chunk.length - at);
        this.dataRemaining -= size;
        const end = this.dataEnds && this.dataRemaining === 0;
        handler.dataBody(this.dataStream, chunk.subarray(at, at + size), size, end);
        at += size;
        continue;
      }
      if (chunk.length - at < FRAME_HEADER_BYTES) break;
      const length = ((chunk[at] as number) << 16) | ((chunk[at + 1] as number) << 8) | (chunk[at + 2] as number);
      const type = chunk[at + 3] as number;
      const flags = chunk[at + 4] as number;
      const streamId = readUint31(chunk, at + 5);
      if (length > MAX_FRAME_BYTES) return handler.fail(H2_ERROR.FRAME_SIZE_ERROR, 'frame_too_large');
      if (!this.mayFollow(type, flags, streamId)) return;
      const start = at + FRAME_HEADER_BYTES;
      if (type === FRAME.DATA && (flags & FLAG.PADDED) === 0) {
        this.beginData(flags, streamId, length);
        at = start;
        continue;
      }
      if (chunk.length - start < length) break;
      at = start + length;
      this.wholeFrame(type, flags, streamId, chunk, start, at);
    }
    if (at < chunk.length && !handler.closed) this.keep(chunk.subarray(at));
  }

  /** While a frame or a header block is unfinished: a number that stays the same until the peer goes on with the next. Else undefined. */
  get unfinished(): number | undefined {
    return this.pending.length > 0 || this.headerStream !== 0 ? this.frames : undefined;
  }

  private keep(rest: Buffer): void {
    this.pending = rest.length < SMALL_BYTES && rest.length * 4 < rest.buffer.byteLength ? Buffer.from(rest) : rest;
  }

  /** Forgets what is incomplete: the connection is over. */
  clear(): void {
    this.pending = EMPTY;
    this.headerParts = [];
  }

  /** The two rules of order: SETTINGS come first, and nothing comes between the frames of a header block. */
  private mayFollow(type: number, flags: number, streamId: number): boolean {
    const { handler } = this;
    if (!this.settingsSeen) {
      this.settingsSeen = type === FRAME.SETTINGS && (flags & FLAG.ACK) === 0;
      if (!this.settingsSeen) handler.fail(H2_ERROR.PROTOCOL_ERROR, 'settings_missing');
    } else if (this.headerStream !== 0 && (type !== FRAME.CONTINUATION || streamId !== this.headerStream)) {
      handler.fail(H2_ERROR.PROTOCOL_ERROR, 'continuation_missing');
    }
    return !handler.closed;
  }

  private beginData(flags: number, streamId: number, length: number): void {
    const { handler } = this;
    const end = (flags & FLAG.END_STREAM) !== 0;
    this.frames++;
    handler.dataBegins(streamId, length);
    if (handler.closed) return;
    if (length === 0) return handler.dataBody(streamId, EMPTY, 0, end);
    this.dataStream = streamId;
    this.dataRemaining = length;
    this.dataEnds = end;
  }

  private wholeFrame(type: number, flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    this.frames++;
    if (type === FRAME.DATA) this.paddedData(flags, streamId, chunk, start, end);
    else if (type === FRAME.HEADERS) this.headers(flags, streamId, chunk, start, end);
    else if (type === FRAME.CONTINUATION) this.continuation(flags, streamId, chunk, start, end);
    else this.handler.frame(type, flags, streamId, chunk, start, end);
  }

  private paddedData(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    const { handler } = this;
    if (end === start || (chunk[start] as number) >= end - start)
      return handler.fail(H2_ERROR.PROTOCOL_ERROR, 'padding');
    handler.dataBegins(streamId, end - start);
    if (handler.closed) return;
    const body = chunk.subarray(start + 1, end - (chunk[start] as number));
    handler.dataBody(streamId, body, end - start, (flags & FLAG.END_STREAM) !== 0);
  }

  private headers(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    const { handler } = this;
    if (streamId === 0) return handler.fail(H2_ERROR.PROTOCOL_ERROR, 'headers_on_connection');
    let from = start;
    let to = end;
    if ((flags & FLAG.PADDED) !== 0) to -= chunk[from++] ?? 0;
    if ((flags & FLAG.PRIORITY) !== 0) {
      if (to - from >= 5 && readUint31(chunk, from) === streamId)
        return handler.fail(H2_ERROR.PROTOCOL_ERROR, 'self_dependency');
      from += 5;
    }
    if (from > to) return handler.fail(H2_ERROR.PROTOCOL_ERROR, 'padding');
    const endStream = (flags & FLAG.END_STREAM) !== 0;
    if ((flags & FLAG.END_HEADERS) !== 0) return handler.headerBlock(streamId, chunk, from, to, endStream);
    this.headerStream = streamId;
    this.headerEnds = endStream;
    this.headerParts = [Buffer.from(chunk.subarray(from, to))];
    this.headerBytes = to - from;
  }

  private continuation(flags: number, streamId: number, chunk: Buffer, start: number, end: number): void {
    const { handler } = this;
    if (this.headerStream === 0) return handler.fail(H2_ERROR.PROTOCOL_ERROR, 'stray_continuation');
    this.headerParts.push(Buffer.from(chunk.subarray(start, end)));
    this.headerBytes += end - start;
    if (this.headerParts.length > MAX_CONTINUATIONS + 1 || this.headerBytes > 2 * OUR_SETTINGS.maxHeaderListBytes)
      return handler.fail(H2_ERROR.ENHANCE_YOUR_CALM, 'continuation_flood');
    if ((flags & FLAG.END_HEADERS) === 0) return;
    const block = Buffer.concat(this.headerParts);
    this.headerStream = 0;
    this.headerParts = [];
    handler.headerBlock(streamId, block, 0, block.length, this.headerEnds);
  }
}
