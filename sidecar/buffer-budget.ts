import type { WindowAccount } from './protocol/stream.ts';

/** All that one sidecar may have buffered. */
export const MAX_BUFFERED_BYTES = 64 * 1_048_576;

/**
 * The sidecar's account of bytes that were received and not yet passed on. Above the limit windows stop growing and new work is shed
 * (`OVERLOAD`); what is under way goes on, bounded by its windows. Owned by the proxy.
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

  /** Windows may grow by half of the budget in all: what they allow may come in at once. */
  reserve(bytes: number): boolean {
    if ((this.reserved + bytes) * 2 > this.maxBytes || !this.roomToGrow) return false;
    this.reserved += bytes;
    return true;
  }

  unreserve(bytes: number): void {
    this.reserved -= bytes;
  }

  get roomToGrow(): boolean {
    return this.held * 2 < this.maxBytes;
  }

  /** New work is refused. */
  get exhausted(): boolean {
    return this.held > this.maxBytes;
  }
}
