/** Tries to reach a worker of the peer that no connection leads to: the peer's system chooses the worker, at random. */
const MAX_TRIES = 16;
/** The first try comes after so long, each later one after so much more. */
const PAUSE_MS = 20;

/** A worker among all of its sidecar. */
export interface WorkerNumber {
  readonly number: number;
  readonly count: number;
}

/**
 * Which workers of the peer the connections of a pool lead to, and which it should have one to: so that all workers of both sides have work, and no
 * more connections than the side with more workers needs. Worker i of m here has those to the workers j of n there with j ≡ i (mod m), and where there
 * are fewer there, the one to i mod n. Owned by a pool.
 */
export class PeerWorkers<Connection> {
  private readonly own: WorkerNumber;
  private readonly byConnection = new Map<Connection, number>();
  /** How many the peer has; 1 until it says so. */
  private count = 1;
  private tries = 0;

  constructor(own: WorkerNumber) {
    this.own = own;
  }

  /** The peer has said which of its workers has the connection. */
  heard(connection: Connection, { number, count }: WorkerNumber): void {
    this.count = count;
    this.byConnection.set(connection, number);
  }

  forget(connection: Connection): void {
    this.byConnection.delete(connection);
  }

  isWanted(worker: number): boolean {
    const { own, count } = this;
    return own.count < count ? worker % own.count === own.number : worker === own.number % count;
  }

  /** Several workers of the peer are ours to use. */
  get several(): boolean {
    return this.own.number + this.own.count < this.count;
  }

  /** Whether one that should be reached is not, `open` being the connections that take requests. */
  isMissing(open: readonly Connection[]): boolean {
    if (this.count === 1) return false;
    for (let worker = 0; worker < this.count; worker++) {
      if (!this.isWanted(worker) || open.some(connection => this.byConnection.get(connection) === worker)) continue;
      return true;
    }
    return false;
  }

  /** Whether this connection reaches one that none of `open` does. */
  isNeeded(connection: Connection, open: readonly Connection[]): boolean {
    const worker = this.byConnection.get(connection);
    return (
      worker !== undefined && this.isWanted(worker) && !open.some(other => this.byConnection.get(other) === worker)
    );
  }

  /** Those of `open` that lead to a worker which is not ours to use. */
  unwanted(open: readonly Connection[]): Connection[] {
    return open.filter(connection => {
      const worker = this.byConnection.get(connection);
      return worker !== undefined && !this.isWanted(worker);
    });
  }

  /** There is reason to try again. */
  startAgain(): void {
    this.tries = 0;
  }

  /** The pause before the next try; undefined: there were enough. */
  nextTryMs(): number | undefined {
    if (this.tries >= MAX_TRIES) return undefined;
    this.tries++;
    return PAUSE_MS * this.tries;
  }
}
