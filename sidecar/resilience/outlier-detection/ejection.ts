import type { OutlierDetectionView } from '../../../api/snapshot.ts';
import type { Random } from '../../../common/random.ts';

/** Ejections last so much longer or shorter at random, so that sidecars do not all come back at once. */
const JITTER = 0.25;
/** So many times `baseEjectionMs` of good behaviour take one doubling back. */
const DECAY = 2;

const TIMES = 0;
const HEALTHY_SINCE_MS = 1;

/**
 * How long an instance is left out: `baseEjectionMs · 2ⁿ`, at most `maxEjectionMs`, ± 25 %, n being the ejections before this one that are not
 * forgiven yet. Owned by its endpoint, and the same for all workers. Envoy: base_ejection_time, max_ejection_time_jitter.
 */
export class Ejection {
  private readonly numbers: Float64Array;

  /** `numbers`: two that are 0, or that another worker has for the same endpoint. */
  constructor(numbers: Float64Array = new Float64Array(2)) {
    this.numbers = numbers;
  }

  /** The length of the ejection that begins now. */
  next(view: OutlierDetectionView, nowMs: number, random: Random): number {
    const forgiven = Math.floor((nowMs - this.numbers[HEALTHY_SINCE_MS]!) / Math.max(1, DECAY * view.baseEjectionMs));
    const times = Math.max(0, this.numbers[TIMES]! - forgiven);
    const lengthMs = Math.min(view.maxEjectionMs, view.baseEjectionMs * 2 ** Math.min(times, 30));
    this.numbers[TIMES] = times + 1;
    this.numbers[HEALTHY_SINCE_MS] = nowMs;
    return lengthMs * (1 - JITTER + 2 * JITTER * random());
  }

  /** Good behaviour counts from here. */
  end(nowMs: number): void {
    this.numbers[HEALTHY_SINCE_MS] = nowMs;
  }
}

/** How many of so many instances may be ejected at once: never the only one, and of two or more at least one, unless 0 % say none. */
export const maxEjected = (instances: number, maxEjectionPercent: number): number => {
  if (instances < 2 || maxEjectionPercent === 0) return 0;
  return Math.max(1, Math.floor((instances * maxEjectionPercent) / 100));
};
