/** Where lines go, as far as they are concerned: standard output. */
export interface LineSink {
  /** False: it is full, and `drain` will be called once it has room. */
  write(text: string): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** Characters that may wait for a slow sink before lines are dropped. */
export const MAX_WAITING_CHARACTERS = 1_048_576;

/**
 * Writes lines without ever making the writer wait: one write per turn of the event loop; what does not fit is dropped and counted.
 * Owned by the log that uses it.
 */
export class LineWriter {
  /** Lines that were dropped. */
  dropped = 0;
  private readonly sink: LineSink;
  private lines: string[] = [];
  private waiting = 0;
  private scheduled = false;
  private full = false;

  constructor(sink: LineSink) {
    this.sink = sink;
  }

  /** `line` without its end. */
  write(line: string): void {
    if (this.waiting + line.length > MAX_WAITING_CHARACTERS) {
      this.dropped++;
      return;
    }
    this.lines.push(line);
    this.waiting += line.length + 1;
    if (this.scheduled || this.full) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  /** Hands on what waits, full or not: for the end of the process. */
  flush(): void {
    if (this.lines.length === 0) return;
    const text = `${this.lines.join('\n')}\n`;
    this.lines = [];
    this.waiting = 0;
    if (this.sink.write(text) || this.full) return;
    this.full = true;
    this.sink.once('drain', () => {
      this.full = false;
      this.flush();
    });
  }
}
