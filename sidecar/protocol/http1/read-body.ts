import type { FieldList } from '../head.ts';
import type { BufferAccount } from '../stream.ts';
import type { Http1Fault } from './faults.ts';
import { MAX_CHUNK_EXTENSION_BYTES, MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES, WINDOW_BYTES } from './limits.ts';
import { parseTrailers } from './parse-fields.ts';

const CR = 13;
const LF = 10;
/** Chunk data of less than so many bytes is moved next to the data before it, so that tiny chunks cost no calls. */
const MOVE_BYTES = 4_096;
const EMPTY = Buffer.alloc(0);

/** Where a body goes. */
export interface BodySink {
  bodyData(chunk: Buffer, end: boolean): void;
  bodyTrailers(trailers: FieldList): void;
}

/**
 * What comes next:
 * length: `remaining` bytes → over. close: bytes until the connection ends.
 * size → (extension →) size-end → data → data-cr → data-lf → size; after the chunk of size 0: trailers → over.
 * fault: the body is broken, `fault` says how.
 */
type State =
  | 'over'
  | 'length'
  | 'close'
  | 'size'
  | 'extension'
  | 'size-end'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailers'
  | 'fault';

/**
 * Reads one body after the other from the bytes of a connection (RFC 9112 §6, §7), no further than its sink has credit.
 * Owned by its connection.
 */
export class BodyReader {
  state: State = 'over';
  fault: Http1Fault = 'bad_chunk';
  private remaining = 0;
  /** Digits, or trailer bytes, that were seen. */
  private lineBytes = 0;
  private extensionBytes = 0;
  private trailerText = '';
  private credit = WINDOW_BYTES;
  private held = 0;
  private sink: BodySink | undefined = undefined;
  private readonly account: BufferAccount;

  constructor(account: BufferAccount) {
    this.account = account;
  }

  /** The next body. `length`: its bytes when it has a Content-Length. */
  begin(kind: 'length' | 'chunked' | 'close', length: number, sink: BodySink): void {
    this.sink = sink;
    this.state = kind === 'chunked' ? 'size' : kind;
    this.remaining = kind === 'length' ? length : 0;
    this.lineBytes = this.extensionBytes = 0;
    this.trailerText = '';
    this.release();
    this.credit = WINDOW_BYTES;
  }

  /** False: nothing can be read until the sink has passed something on. */
  get ready(): boolean {
    return this.credit > 0;
  }

  /** Forgets the body; what comes of it is no longer delivered. */
  abandon(): void {
    this.sink = undefined;
    this.release();
    this.state = 'over';
  }

  /** The sink has passed so many bytes on. */
  consumed(bytes: number): void {
    const given = Math.min(bytes, this.held);
    this.held -= given;
    this.credit += given;
    this.account.release(given);
  }

  /** The connection has ended: true when the body is whole. */
  end(): boolean {
    if (this.state !== 'close') return false;
    this.state = 'over';
    this.sink?.bodyData(EMPTY, true);
    return true;
  }

  /** Reads from `at` on; the position up to which it got. It stops where the body is over or broken, or the credit used up. May change the bytes that it has read. */
  read(chunk: Buffer, at: number): number {
    if (this.state === 'length' || this.state === 'close') return this.readPlain(chunk, at);
    return this.readChunked(chunk, at);
  }

  private readPlain(chunk: Buffer, at: number): number {
    const available = Math.min(chunk.length - at, this.credit);
    const bytes = this.state === 'length' ? Math.min(available, this.remaining) : available;
    if (bytes === 0) return at;
    const end = this.state === 'length' && bytes === this.remaining;
    this.remaining -= bytes;
    if (end) this.state = 'over';
    this.deliver(at === 0 && bytes === chunk.length ? chunk : chunk.subarray(at, at + bytes), end);
    return at + bytes;
  }

  private release(): void {
    if (this.held > 0) this.account.release(this.held);
    this.held = 0;
  }

  private deliver(data: Buffer, end: boolean): void {
    if (this.sink === undefined) return;
    this.held += data.length;
    this.credit -= data.length;
    if (data.length > 0) this.account.hold(data.length);
    this.sink.bodyData(data, end);
  }

  private readChunked(chunk: Buffer, at: number): number {
    // Data that was read and not delivered yet: chunk[from…to].
    let from = at;
    let to = at;
    while (at < chunk.length && this.state !== 'over' && this.state !== 'fault') {
      if (this.state === 'data') {
        const room = this.credit - (to - from);
        if (room === 0) break;
        const bytes = Math.min(chunk.length - at, this.remaining, room);
        if (to === from) from = to = at;
        else if (at !== to && bytes >= MOVE_BYTES) {
          this.deliver(chunk.subarray(from, to), false);
          from = to = at;
          if (this.state !== 'data') break;
        } else if (at !== to) chunk.copyWithin(to, at, at + bytes);
        to += bytes;
        at += bytes;
        this.remaining -= bytes;
        if (this.remaining === 0) this.state = 'data-cr';
      } else at = this.readFraming(chunk, at);
    }
    if (this.state === 'fault') return at;
    if (this.state !== 'over' || this.trailerText === '') {
      if (to > from || this.state === 'over') this.deliver(chunk.subarray(from, to), this.state === 'over');
      return at;
    }
    const trailers = parseTrailers(this.trailerText);
    if (typeof trailers === 'string') {
      this.fail(trailers);
      return at;
    }
    if (to > from) this.deliver(chunk.subarray(from, to), false);
    if (trailers.length > 0) this.sink?.bodyTrailers(trailers);
    else this.sink?.bodyData(EMPTY, true);
    return at;
  }

  /** Reads bytes that are not data: one, or those up to the end of a part. */
  private readFraming(chunk: Buffer, at: number): number {
    const { state } = this;
    if (state === 'size') return this.readSize(chunk, at);
    if (state === 'extension') return this.readExtension(chunk, at);
    if (state === 'trailers') return this.readTrailers(chunk, at);
    if (chunk[at] !== (state === 'data-cr' ? CR : LF)) this.fail('bad_chunk');
    else if (state === 'data-cr') this.state = 'data-lf';
    else {
      this.state = state === 'data-lf' ? 'size' : this.remaining > 0 ? 'data' : 'trailers';
      this.lineBytes = 0;
    }
    return at + 1;
  }

  private readSize(chunk: Buffer, at: number): number {
    for (; at < chunk.length; at++) {
      const digit = hexDigit(chunk[at]!);
      if (digit === -1) break;
      // 13 digits are 52 bits; more are only zeros in front.
      if (++this.lineBytes > 16 || this.remaining >= 2 ** 48) return this.fail('bad_chunk');
      this.remaining = this.remaining * 16 + digit;
    }
    if (at === chunk.length) return at;
    if (this.lineBytes === 0) return this.fail('bad_chunk');
    if (chunk[at] === CR) this.state = 'size-end';
    else if (chunk[at] === 0x3b) this.state = 'extension';
    else this.fail('bad_chunk');
    return at + 1;
  }

  /** Extensions are read over: visible characters, blanks and obs-text up to CRLF. */
  private readExtension(chunk: Buffer, at: number): number {
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === CR) {
        this.state = 'size-end';
        return at + 1;
      }
      if ((byte < 32 && byte !== 9) || byte === 127) return this.fail('bad_chunk');
      this.extensionBytes++;
      if (++this.lineBytes > MAX_CHUNK_LINE_BYTES || this.extensionBytes > MAX_CHUNK_EXTENSION_BYTES) {
        return this.fail('chunk_extensions_too_long');
      }
    }
    return at;
  }

  private readTrailers(chunk: Buffer, at: number): number {
    if (this.trailerText === '') {
      // Almost always the section is empty.
      if (this.lineBytes === 0 && chunk[at] === CR) {
        this.lineBytes = 1;
        if (++at === chunk.length) return at;
      }
      if (this.lineBytes === 1) {
        if (chunk[at] === LF) this.state = 'over';
        else this.fail('bad_trailer');
        return at + 1;
      }
    }
    const known = this.trailerText.length;
    const text = this.trailerText + chunk.toString('latin1', at, at + MAX_TRAILER_BYTES + 1 - known);
    const end = text.indexOf('\r\n\r\n', Math.max(0, known - 3));
    this.trailerText = end === -1 ? text : text.slice(0, end + 4);
    // An LF without CR: nobody should wait for the end of such a section.
    if (chunk[at] === LF ? text.charCodeAt(known - 1) !== CR : /[^\r]\n/.test(this.trailerText.slice(known))) {
      return this.fail('bad_trailer');
    }
    if (this.trailerText.length > MAX_TRAILER_BYTES) return this.fail('trailers_too_long');
    if (end !== -1) this.state = 'over';
    return at + this.trailerText.length - known;
  }

  private fail(fault: Http1Fault): number {
    this.state = 'fault';
    this.fault = fault;
    return 0;
  }
}

const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
};
