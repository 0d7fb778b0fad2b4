import type { HeadCounters } from '../telemetry/head-counters.ts';

/** A full table is emptied: what plans hold stays good. */
const MAX_ENTRIES = 1_000;

/**
 * The counters of heads whose labels are the same, once: a head that was never seen before then costs a lookup instead of a dozen labels.
 * Owned by the step that makes plans.
 */
export class SharedCounters {
  private readonly known = new Map<string, HeadCounters>();

  /** `key`: everything that the labels are made from. */
  find(key: string, make: () => HeadCounters): HeadCounters {
    let counters = this.known.get(key);
    if (counters === undefined) {
      counters = make();
      if (this.known.size >= MAX_ENTRIES) this.known.clear();
      this.known.set(key, counters);
    }
    return counters;
  }
}
