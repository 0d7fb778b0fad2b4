import type { WindowAccount } from './protocol/stream.ts';

/** All that one sidecar may have buffered. */
export const MAX_BUFFERED_BYTES = 64 * 1_048_576;

/** Windows above their first size may take so much of it in all. */
const WINDOWS_PART = 1 / 4;
/** While less than this part is taken, by bytes and by what larger windows may still bring, there is room to grow. */
const ROOMY_PART = 1 / 2;

// Each worker writes its own numbers alone, in a cache line of its own, and reads those of all.
const HELD = 0;
const RESERVED = 1;
const WIDTH = 8;
/** Memory that the accounts of so many workers take. */
export const budgetBytes = (workers: number): number => workers * WIDTH * Float64Array.BYTES_PER_ELEMENT;

/**
 * The sidecar's account of bytes that were received and not yet passed on. Above a half of the limit windows stop growing, and sockets that do
 * not take what is written to them get less; above the whole of it new work is shed (`OVERLOAD`). What is under way goes on, bounded by its
 * windows. With several workers each has one, and all of
 * them hold together. Owned by the proxy.
 */
export class BufferBudget implements WindowAccount {
  private readonly maxBytes: number;
  private readonly numbers: Float64Array;
  private readonly own: number;

  /** `memory`: of all workers, `worker` being the number of this one. */
  constructor(maxBytes = MAX_BUFFERED_BYTES, memory: ArrayBufferLike = new ArrayBuffer(budgetBytes(1)), worker = 0) {
    this.maxBytes = maxBytes;
    this.numbers = new Float64Array(memory);
    this.own = worker * WIDTH;
  }

  hold(bytes: number): void {
    this.numbers[this.own + HELD]! += bytes;
  }

  release(bytes: number): void {
    this.numbers[this.own + HELD]! -= bytes;
  }

  get buffered(): number {
    return this.sum(HELD);
  }

  /** For a larger window: what it allows may come in at once. */
  reserve(bytes: number): boolean {
    if (this.sum(RESERVED) + bytes > this.maxBytes * WINDOWS_PART || !this.roomToGrow) return false;
    this.numbers[this.own + RESERVED]! += bytes;
    return true;
  }

  unreserve(bytes: number): void {
    this.numbers[this.own + RESERVED]! -= bytes;
  }

  get roomToGrow(): boolean {
    return this.sum(HELD) + this.sum(RESERVED) < this.maxBytes * ROOMY_PART;
  }

  /** New work is refused. */
  get exhausted(): boolean {
    return this.sum(HELD) > this.maxBytes;
  }

  private sum(which: number): number {
    const { numbers } = this;
    let sum = 0;
    for (let at = which; at < numbers.length; at += WIDTH) sum += numbers[at]!;
    return sum;
  }
}
