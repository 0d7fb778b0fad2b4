import { type FieldList, NO_FIELDS } from '../head.ts';
import type { Outbox } from '../outbox.ts';
import { encodeVolatile, volatileBytes } from './encode-head.ts';
import {
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  type H2Error,
  MAX_FRAME_BYTES,
  writeFrameHeader,
  writeUint32,
} from './frames.ts';
import { copyOfBytes } from './kept-blocks.ts';

const EMPTY = Buffer.alloc(0);
/** A dynamic table size update to 0 (RFC 7541 §6.3). */
const NO_TABLE = Buffer.from([0x20]);

/** Writes frames into a connection's outbox. Owned by the connection, which keeps to the windows. */
export class FrameWriter {
  private readonly outbox: Outbox;
  /** Of the dynamic table's size: none is due, one is, or it has gone out. */
  private tableUpdate: 'none' | 'due' | 'sent' = 'none';
  /** The volatile fields that were written last, and their encoding from the second time on: answers often have the same ones again. */
  private last: FieldList = NO_FIELDS;
  private lastBytes: Uint8Array | undefined = undefined;

  constructor(outbox: Outbox) {
    this.outbox = outbox;
  }

  /** Bytes that are a frame, or the preface, already. */
  raw(bytes: Buffer): void {
    this.outbox.append(bytes);
  }

  data(streamId: number, chunk: Buffer, end: boolean): void {
    this.header(chunk.length, FRAME.DATA, end ? FLAG.END_STREAM : 0, streamId);
    if (chunk.length > 0) this.outbox.append(chunk);
  }

  /** HEADERS: a block that was encoded before, and volatile fields behind it. */
  headers(streamId: number, block: Buffer, volatile: FieldList, end: boolean): void {
    if (this.tableUpdate === 'due') {
      this.tableUpdate = 'sent';
      return this.headers(streamId, Buffer.concat([NO_TABLE, block]), volatile, end);
    }
    const known = volatile === this.last ? this.lastBytes : undefined;
    const bound = block.length + (known === undefined ? volatileBytes(volatile) : known.length);
    const endFlag = end ? FLAG.END_STREAM : 0;
    if (bound > MAX_FRAME_BYTES) return this.longHeaders(streamId, block, volatile, endFlag);
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + bound);
    const out = this.outbox.block;
    const body = at + FRAME_HEADER_BYTES;
    out.set(block, body);
    const split = body + block.length;
    let finish = split;
    if (known === undefined) finish = this.encode(out, split, volatile);
    else {
      out.set(known, split);
      finish += known.length;
    }
    writeFrameHeader(out, at, finish - body, FRAME.HEADERS, FLAG.END_HEADERS | endFlag, streamId);
    this.outbox.advance(finish);
  }

  private encode(out: Buffer, at: number, volatile: FieldList): number {
    const finish = encodeVolatile(out, at, volatile);
    this.lastBytes = volatile === this.last ? copyOfBytes(out, at, finish) : undefined;
    this.last = volatile;
    return finish;
  }

  private longHeaders(streamId: number, block: Buffer, volatile: FieldList, endFlag: number): void {
    const whole = Buffer.allocUnsafe(block.length + volatileBytes(volatile));
    whole.set(block, 0);
    const size = encodeVolatile(whole, block.length, volatile);
    for (let from = 0; from < size; from += MAX_FRAME_BYTES) {
      const to = Math.min(size, from + MAX_FRAME_BYTES);
      const flags = (from === 0 ? endFlag : 0) | (to === size ? FLAG.END_HEADERS : 0);
      this.header(to - from, from === 0 ? FRAME.HEADERS : FRAME.CONTINUATION, flags, streamId);
      this.outbox.append(whole.subarray(from, to));
    }
  }

  trailers(streamId: number, trailers: FieldList): void {
    this.headers(streamId, EMPTY, trailers, true);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.word(FRAME.WINDOW_UPDATE, streamId, increment);
  }

  reset(streamId: number, code: H2Error): void {
    this.word(FRAME.RST_STREAM, streamId, code);
  }

  settingsAck(): void {
    this.header(0, FRAME.SETTINGS, FLAG.ACK, 0);
  }

  /** `id` comes back with its acknowledgement. */
  ping(id: number): void {
    this.eight(FRAME.PING, 0, 0, id);
  }

  /** `payload`: the eight bytes that came, at `at`. */
  pingAck(payload: Buffer, at: number): void {
    this.eight(FRAME.PING, FLAG.ACK, payload.readUInt32BE(at), payload.readUInt32BE(at + 4));
  }

  goaway(lastStreamId: number, code: H2Error): void {
    this.eight(FRAME.GOAWAY, 0, lastStreamId, code);
  }

  /** The link's PEER frame (at most 4 KiB). */
  peer(payload: Buffer): void {
    this.header(payload.length, FRAME.PEER, 0, 0);
    this.outbox.append(payload);
  }

  /**
   * The peer keeps a smaller dynamic table than the 4,096 bytes that every connection begins with: the next block must say that we
   * agree (RFC 7541 §4.2). We use none, so we say 0, once.
   */
  tableShrunk(): void {
    if (this.tableUpdate === 'none') this.tableUpdate = 'due';
  }

  private header(length: number, type: number, flags: number, streamId: number): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES);
    this.outbox.advance(writeFrameHeader(this.outbox.block, at, length, type, flags, streamId));
  }

  private word(type: number, streamId: number, value: number): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + 4);
    const out = this.outbox.block;
    this.outbox.advance(writeUint32(out, writeFrameHeader(out, at, 4, type, 0, streamId), value));
  }

  private eight(type: number, flags: number, first: number, second: number): void {
    const at = this.outbox.reserve(FRAME_HEADER_BYTES + 8);
    const out = this.outbox.block;
    const body = writeFrameHeader(out, at, 8, type, flags, 0);
    this.outbox.advance(writeUint32(out, writeUint32(out, body, first), second));
  }
}
