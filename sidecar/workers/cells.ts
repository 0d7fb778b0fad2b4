/**
 * The memory behind what is counted of one thing (a cluster, an instance), by the name of the thing. With several workers it is the same memory in
 * all of them, so that a limit is the sidecar's and not a worker's.
 */
export type Cells = (key: string, bytes: number) => ArrayBufferLike;

/** Of one worker alone. */
export const ownCells: Cells = (_key, bytes) => new ArrayBuffer(bytes);

/** What the other workers must get to share it. */
export type CellMap = ReadonlyMap<string, ArrayBufferLike>;

/** The first worker's: makes what all share. Owned by the worker group. */
export class SharedCells {
  private made = new Map<string, ArrayBufferLike>();

  readonly of: Cells = (key, bytes) => {
    const cells = new SharedArrayBuffer(bytes);
    this.made.set(key, cells);
    return cells;
  };

  /** What was made since this was last called. */
  take(): CellMap {
    const { made } = this;
    this.made = new Map();
    return made;
  }
}

/** Another worker's: finds what the first one made. Owned by the worker. */
export class ReceivedCells {
  private received: CellMap = new Map();

  /** What came along with the snapshot that is applied now. */
  receive(cells: CellMap): void {
    this.received = cells;
  }

  readonly of: Cells = key => {
    const cells = this.received.get(key);
    if (cells === undefined) throw new Error(`there is nothing shared for ${key}`);
    return cells;
  };
}
