import type { RetryBudgetView } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';

const SLOTS = 10;

/**
 * How many retries a destination may get: `ratio` of the requests of the last `windowMs`, and at least `minRetries` in it, so that
 * retries can't multiply an outage. Counted in ten slots of the window. Owned by its cluster. Finagle: RetryBudget; Envoy: retry_budget.
 */
export class RetryBudget {
  private readonly view: RetryBudgetView;
  private readonly clock: Clock;
  private readonly requests = new Float64Array(SLOTS);
  private readonly retries = new Float64Array(SLOTS);
  private slot = 0;

  constructor(view: RetryBudgetView, clock: Clock) {
    this.view = view;
    this.clock = clock;
  }

  /** A request was made (not a retry). */
  deposit(): void {
    this.requests[this.current()]!++;
  }

  /** Takes one retry out; false: there is none left. */
  withdraw(): boolean {
    const at = this.current();
    const allowed = Math.max(this.view.minRetries, this.view.ratio * sum(this.requests));
    if (sum(this.retries) + 1 > allowed) return false;
    this.retries[at]!++;
    return true;
  }

  /** The index of the present slot; those that have passed since are emptied. */
  private current(): number {
    const now = Math.floor(this.clock.nowMs() / (this.view.windowMs / SLOTS));
    if (now - this.slot >= SLOTS) {
      this.requests.fill(0);
      this.retries.fill(0);
    } else {
      for (let slot = this.slot + 1; slot <= now; slot++) this.requests[slot % SLOTS] = this.retries[slot % SLOTS] = 0;
    }
    this.slot = now;
    return now % SLOTS;
  }
}

const sum = (slots: Float64Array): number => {
  let total = 0;
  for (let i = 0; i < slots.length; i++) total += slots[i] as number;
  return total;
};
