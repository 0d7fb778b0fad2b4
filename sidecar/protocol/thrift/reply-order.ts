interface Held {
  readonly chunks: (readonly [chunk: Buffer, credit: number])[];
  over: boolean;
}

/**
 * Lets the replies of the calls of one connection out one after the other, each whole: the first that begins goes out as it comes, what the others
 * say meanwhile waits here, within the windows of their answers. Owned by the connection.
 */
export class ReplyOrder<Call> {
  /** Whose reply goes out; undefined: nobody's. */
  current: Call | undefined = undefined;
  private readonly held = new Map<Call, Held>();
  private readonly out: (chunk: Buffer, credit: number) => void;
  private readonly ended: (call: Call) => void;

  /** `out`: bytes of `current`. `ended`: its reply is out. */
  constructor(out: (chunk: Buffer, credit: number) => void, ended: (call: Call) => void) {
    this.out = out;
    this.ended = ended;
  }

  write(call: Call, chunk: Buffer, credit: number): void {
    this.current ??= call;
    if (this.current === call) return this.out(chunk, credit);
    const held = this.held.get(call);
    if (held === undefined) this.held.set(call, { chunks: [[chunk, credit]], over: false });
    else held.chunks.push([chunk, credit]);
  }

  /** The reply is complete, or there is none. */
  end(call: Call): void {
    const held = this.held.get(call);
    if (held !== undefined) {
      held.over = true;
      return;
    }
    this.ended(call);
    if (this.current !== call) return;
    this.current = undefined;
    for (const [next, { chunks, over }] of this.held) {
      this.held.delete(next);
      this.current = next;
      for (const [chunk, credit] of chunks) this.out(chunk, credit);
      if (!over) return;
      this.ended(next);
      this.current = undefined;
    }
  }
}
