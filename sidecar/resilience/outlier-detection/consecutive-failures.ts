import type { Judgement } from '../judge-attempt.ts';

/** Failures in a row. One success, and it starts again; what says nothing changes nothing. Envoy: consecutive_5xx. */
export class ConsecutiveFailures {
  private failures = 0;

  get count(): number {
    return this.failures;
  }

  /** Takes what one attempt said; true: there are `threshold` failures in a row, or more. 0: never. */
  add(judgement: Judgement, threshold: number): boolean {
    if (judgement === 'success') this.failures = 0;
    if (judgement !== 'failure') return false;
    this.failures++;
    return threshold > 0 && this.failures >= threshold;
  }

  reset(): void {
    this.failures = 0;
  }
}
