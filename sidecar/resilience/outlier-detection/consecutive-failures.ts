import type { Judgement } from '../judge-attempt.ts';

/** Failures in a row. One success, and it starts again; what says nothing changes nothing. Envoy: consecutive_5xx. */
export class ConsecutiveFailures {
  private readonly counts: Int32Array;
  private readonly at: number;

  /** They are counted at `counts[at]`, by all workers of a sidecar. */
  constructor(counts: Int32Array = new Int32Array(1), at = 0) {
    this.counts = counts;
    this.at = at;
  }

  get count(): number {
    return this.counts[this.at]!;
  }

  /** Takes what one attempt said; true: there are `threshold` failures in a row, or more. 0: never. */
  add(judgement: Judgement, threshold: number): boolean {
    if (judgement === 'success') this.reset();
    if (judgement !== 'failure') return false;
    const failures = Atomics.add(this.counts, this.at, 1) + 1;
    return threshold > 0 && failures >= threshold;
  }

  reset(): void {
    this.counts[this.at] = 0;
  }
}
