import type { WindowAccount } from './protocol/stream.ts';

/** All that one sidecar may have buffered. */
export const MAX_BUFFERED_BYTES = 64 * 1_048_576;

/** Windows above their first size may take so much of it in all. */
const WINDOWS_PART = 1 / 4;
/** While less than this part is taken, by bytes and by what larger windows may still bring, there is room to grow. */
const ROOMY_PART = 1 / 2;

/**
 * The sidecar's account of bytes that were received and not yet passed on. Above a half of the limit windows stop growing, and sockets that do
 * not take what is written to them get less; above the whole of it new work is shed (`OVERLOAD`). What is under way goes on, bounded by its
 * windows. Owned by the proxy.
 */
export class BufferBudget implements WindowAccount {
  private held = 0;
  private reserved = 0;
  private readonly maxBytes: number;

  constructor(maxBytes = MAX_BUFFERED_BYTES) {
    this.maxBytes = maxBytes;
  }

  hold(bytes: number): void {
    this.held += bytes;
  }

  release(bytes: number): void {
    this.held -= bytes;
  }

  get buffered(): number {
    return this.held;
  }

  /** For a larger window: what it allows may come in at once. */
  reserve(bytes: number): boolean {
    if (this.reserved + bytes > this.maxBytes * WINDOWS_PART || !this.roomToGrow) return false;
    this.reserved += bytes;
    return true;
  }

  unreserve(bytes: number): void {
    this.reserved -= bytes;
  }

  get roomToGrow(): boolean {
    return this.held + this.reserved < this.maxBytes * ROOMY_PART;
  }

  /** New work is refused. */
  get exhausted(): boolean {
    return this.held > this.maxBytes;
  }
}
