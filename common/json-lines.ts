/** Lines of a byte stream, bounded. */

const NEWLINE = 0x0a;

/**
 * Cuts chunks into lines. Empty lines are skipped: they are the cheapest keep-alive. A line longer than `maxBytes` ends the
 * reading for good: `push` returns false, and nothing more is delivered.
 */
export class LineReader {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  /** The beginning of a line whose end has not come yet. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #overflowed = false;

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  /** False: a line was too long. */
  push(chunk: Buffer): boolean {
    let start = 0;
    while (!this.#overflowed) {
      const end = chunk.indexOf(NEWLINE, start);
      const part = chunk.subarray(start, end < 0 ? chunk.length : end);
      if (this.#partBytes + part.length > this.#maxBytes) {
        this.#overflowed = true;
        this.#parts = [];
        break;
      }
      if (part.length > 0) this.#parts.push(part);
      this.#partBytes += part.length;
      if (end < 0) break;
      start = end + 1;
      this.#deliver();
    }
    return !this.#overflowed;
  }

  #deliver(): void {
    if (this.#partBytes === 0) return;
    const [first] = this.#parts;
    const line = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts, this.#partBytes);
    this.#parts = [];
    this.#partBytes = 0;
    this.#onLine(line.toString('utf8'));
  }
}
