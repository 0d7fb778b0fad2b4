import type { Http1Fault } from './faults.ts';
import { MAX_HEAD_BYTES, MAX_START_LINE_BYTES } from './limits.ts';

/** No head has these, wherever it is cut: control characters, a CR without LF, an LF without CR. */
const NEVER = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?=[^\n])|(?<=[^\r])\n/;

/**
 * What is already wrong with a head of which only the beginning `chunk[at…]` is here, so that nobody waits for the end of what is no head.
 * Its first `scanned` bytes were looked at before.
 */
export const partialHeadFault = (chunk: Buffer, at: number, scanned: number): Http1Fault | undefined => {
  const bytes = chunk.length - at;
  if (scanned === 0 && chunk[at] === 10) return 'bad_line_end';
  const found = NEVER.exec(chunk.toString('latin1', at + Math.max(0, scanned - 1)));
  if (found !== null) return found[0] === '\r' || found[0] === '\n' ? 'bad_line_end' : 'control_character';
  if (bytes > MAX_START_LINE_BYTES) {
    const lineEnd = chunk.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1 || lineEnd - at > MAX_START_LINE_BYTES) return 'request_line_too_long';
  }
  return bytes > MAX_HEAD_BYTES ? 'head_too_large' : undefined;
};

/** Where the head that begins at `at` ends (after its empty line); -1 when its end is not here yet. */
export const headEnd = (chunk: Buffer, at: number, scanned: number): number => {
  const found = chunk.indexOf('\r\n\r\n', at + Math.max(0, scanned - 3), 'latin1');
  return found === -1 ? -1 : found + 4;
};
