/** The lines of a worker: handed to the first thread together once in a turn of the event loop, so that those of all workers stay whole. Owned by the worker. */
export class PostedLines {
  private readonly post: (lines: readonly string[]) => void;
  private lines: string[] = [];

  constructor(post: (lines: readonly string[]) => void) {
    this.post = post;
  }

  /** `line` with its end. */
  write(line: string): void {
    this.lines.push(line);
    if (this.lines.length === 1) setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.lines.length === 0) return;
    this.post(this.lines);
    this.lines = [];
  }
}
