import type { RetryBudgetView } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';

const SLOTS = 10;
// Behind each other: when each slot began to count, in slots since the clock's start; its requests; its retries.
const REQUESTS = SLOTS;
const RETRIES = 2 * SLOTS;
export const BUDGET_COUNTS: number = 3 * SLOTS;

/**
 * How many retries a destination may get: `ratio` of the requests of the last `windowMs`, and at least `minRetries` in it, so that
 * retries can't multiply an outage. Counted in ten slots of the window, by all workers of a sidecar in the same place. Owned by its cluster.
 * Finagle: RetryBudget; Envoy: retry_budget.
 */
export class RetryBudget {
  private readonly view: RetryBudgetView;
  private readonly clock: Clock;
  private readonly counts: Int32Array;

  /** `counts`: `BUDGET_COUNTS` of them, of which none counts yet, or which another worker's budget of the same view counts in. */
  constructor(view: RetryBudgetView, clock: Clock, counts: Int32Array = new Int32Array(BUDGET_COUNTS)) {
    this.view = view;
    this.clock = clock;
    this.counts = counts;
  }

  /** A request was made (not a retry). */
  deposit(): void {
    Atomics.add(this.counts, REQUESTS + this.begin(this.now()), 1);
  }

  /** Takes one retry out; false: there is none left. Takes first and looks then, so that two workers never both get the last one. */
  withdraw(): boolean {
    const now = this.now();
    const at = RETRIES + this.begin(now);
    Atomics.add(this.counts, at, 1);
    const allowed = Math.max(this.view.minRetries, this.view.ratio * this.sum(REQUESTS, now));
    if (this.sum(RETRIES, now) <= allowed) return true;
    Atomics.sub(this.counts, at, 1);
    return false;
  }

  /** Slots since the clock's start; never 0, which is what a slot says that was never used. */
  private now(): number {
    return Math.floor(this.clock.nowMs() / (this.view.windowMs / SLOTS)) + 1;
  }

  /** The index of the present slot, emptied by who comes there first. */
  private begin(now: number): number {
    const slot = now % SLOTS;
    const { counts } = this;
    const before = counts[slot]!;
    if (before !== now && Atomics.compareExchange(counts, slot, before, now) === before)
      counts[REQUESTS + slot] = counts[RETRIES + slot] = 0;
    return slot;
  }

  private sum(first: number, now: number): number {
    let total = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const age = now - this.counts[slot]!;
      if (age >= 0 && age < SLOTS) total += this.counts[first + slot]!;
    }
    return total;
  }
}
