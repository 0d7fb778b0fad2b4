import type { Http1Fault } from './faults.ts';
import { MAX_HEAD_BYTES, MAX_START_LINE_BYTES } from './limits.ts';

/** So much of a chunk is looked at for a head that was seen before. */
const MATCH_BYTES = 4_096;
/** No head has these, wherever it is cut: control characters, a CR without LF, an LF without CR. */
const NEVER = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?=[^\n])|(?<=[^\r])\n/;
const CR = 13;
const LF = 10;

/** Interned heads of one kind. */
export interface Heads<T extends object> {
  /** Reads the head that begins at `at`, if it looks like one that was read before. */
  match(text: string, at: number): T | undefined;
  /** Reads a text that is one head up to and with its empty line. */
  parse(text: string): T | Http1Fault;
}

/** Finds the heads in the bytes of a connection. Owned by the connection. */
export class HeadReader<T extends object> {
  /** Bytes at the start of the head that were looked at before, and in which it does not end. */
  private scanned = 0;
  private readonly heads: Heads<T>;

  constructor(heads: Heads<T>) {
    this.heads = heads;
  }

  /** The head that begins at `at`, what is wrong with it, or undefined when more bytes are needed (call again with all of it). */
  read(chunk: Buffer, at: number): T | Http1Fault | undefined {
    if (this.scanned === 0) {
      const known = this.heads.match(chunk.latin1Slice(at, Math.min(chunk.length, at + MATCH_BYTES)), 0);
      if (known !== undefined) return known;
    }
    const found = chunk.indexOf('\r\n\r\n', at + Math.max(0, this.scanned - 3), 'latin1');
    if (found === -1) {
      const fault = partialHeadFault(chunk, at, this.scanned);
      this.scanned = chunk.length - at;
      return fault;
    }
    this.scanned = 0;
    const end = found + 4;
    return end - at > MAX_HEAD_BYTES ? 'head_too_large' : this.heads.parse(chunk.toString('latin1', at, end));
  }
}

/** What is already wrong with a head of which only the beginning is here, so that nobody waits for the end of what is no head. */
const partialHeadFault = (chunk: Buffer, at: number, scanned: number): Http1Fault | undefined => {
  const bytes = chunk.length - at;
  if (chunk[at] === LF) return 'bad_line_end';
  if (chunk[at] === CR && bytes > 1) return 'bad_line_end';
  const found = NEVER.exec(chunk.toString('latin1', at + Math.max(0, scanned - 1)));
  if (found !== null) return found[0] === '\r' || found[0] === '\n' ? 'bad_line_end' : 'control_character';
  if (bytes > MAX_START_LINE_BYTES) {
    const lineEnd = chunk.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1 || lineEnd - at > MAX_START_LINE_BYTES) return 'request_line_too_long';
  }
  return bytes > MAX_HEAD_BYTES ? 'head_too_large' : undefined;
};
