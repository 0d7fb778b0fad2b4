import fs from 'node:fs';

/** Where bytes go: a file descriptor, or what a test puts in its place. Both say how many bytes were taken. */
export interface ByteSink {
  write(bytes: Buffer, from: number, done: (error: NodeJS.ErrnoException | null, written: number) => void): void;
  /** @throws the system's error. */
  writeSync(bytes: Buffer, from: number): number;
}

export const fileSink = (fd: number): ByteSink => ({
  write: (bytes, from, done) => fs.write(fd, bytes, from, done),
  writeSync: (bytes, from) => fs.writeSync(fd, bytes, from),
});

/** Characters that may wait for a slow reader. A line that does not fit is dropped. */
export const MAX_WAITING_CHARACTERS = 1_048_576;

/** A pipe that somebody made non-blocking is asked again after so long. */
const FULL_PAUSE_MS = 20;
/** How often `flushSync` asks a full pipe again: 200 ms in all. */
const FULL_TRIES = 10;

/**
 * Lines on a file descriptor, written in the background: one write at a time, made of all the lines of a turn of the event loop. A reader that
 * is slow or gone holds up nothing: what does not fit, and what cannot be written, is dropped and counted. (Node's own `process.stdout` waits
 * for the reader of a pipe.) Shared by all who write lines, so that lines stay whole. Owned by `main.ts`; lives as long as the process.
 */
export class LogOutput {
  /** Lines that were dropped. */
  dropped = 0;
  private readonly sink: ByteSink;
  private lines: string[] = [];
  private waiting = 0;
  /** A write is under way or due. */
  private busy = false;
  private onIdle: (() => void)[] = [];

  constructor(sink: ByteSink) {
    this.sink = sink;
  }

  /** `line` with its end. */
  write(line: string): void {
    if (this.waiting + line.length > MAX_WAITING_CHARACTERS) {
      this.dropped++;
      return;
    }
    this.lines.push(line);
    this.waiting += line.length;
    if (this.busy) return;
    this.busy = true;
    setImmediate(() => this.writeNext());
  }

  /** Resolves when what was written so far is out, or dropped. */
  flush(): Promise<void> {
    return new Promise(resolve => {
      if (this.busy) this.onIdle.push(resolve);
      else resolve();
    });
  }

  /** Writes at once what waits, as far as the reader takes it: for a process that is about to end. What is under way is left to the system. */
  flushSync(): void {
    const bytes = this.take();
    let tries = 0;
    for (let from = 0; from < bytes.length; ) {
      try {
        from += this.sink.writeSync(bytes, from);
      } catch (error) {
        if (!isFull(error) || ++tries > FULL_TRIES) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PAUSE_MS);
      }
    }
  }

  private writeNext(): void {
    const lines = this.lines.length;
    if (lines > 0) {
      this.writeFrom(this.take(), 0, lines);
      return;
    }
    this.busy = false;
    for (const resolve of this.onIdle.splice(0)) resolve();
  }

  private writeFrom(bytes: Buffer, from: number, lines: number): void {
    this.sink.write(bytes, from, (error, written) => {
      if (isFull(error)) {
        setTimeout(() => this.writeFrom(bytes, from, lines), FULL_PAUSE_MS);
      } else if (error === null && from + written < bytes.length) {
        this.writeFrom(bytes, from + written, lines);
      } else {
        if (error !== null) this.dropped += lines;
        this.writeNext();
      }
    });
  }

  private take(): Buffer {
    const bytes = Buffer.from(this.lines.join(''));
    this.lines = [];
    this.waiting = 0;
    return bytes;
  }
}

const isFull = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN';
