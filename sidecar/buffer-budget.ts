import type { BufferAccount } from './protocol/stream.ts';

/** All that one sidecar may have buffered. */
export const MAX_BUFFERED_BYTES = 64 * 1_048_576;

/**
 * The sidecar's account of bytes that were received and not yet passed on. Above the limit windows stop growing and new work is shed
 * (`OVERLOAD`); what is under way goes on, bounded by its windows. Owned by the proxy.
 */
export class BufferBudget implements BufferAccount {
  private held = 0;
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

  /** Half of the budget is free. */
  get roomToGrow(): boolean {
    return this.held * 2 < this.maxBytes;
  }

  /** New work is refused. */
  get exhausted(): boolean {
    return this.held > this.maxBytes;
  }
}
