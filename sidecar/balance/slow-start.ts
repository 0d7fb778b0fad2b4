import type { Random } from '../../common/random.ts';
import type { Endpoint } from '../upstream/endpoint.ts';

/** For so long an instance that joined others gets less than its share. Cold caches and compilers need some seconds. */
const SLOW_START_MS = 10_000;
/** The part of its share that it gets at first; it grows evenly to all of it. Envoy: slow_start_config.min_weight_percent. */
const MIN_SHARE = 0.1;

/**
 * Holds back instances that were just added to others. Instances that are all new, as when a sidecar starts, are not held back:
 * somebody has to take the traffic. Envoy: slow_start_config.
 */
export class SlowStart {
  private readonly random: Random;
  /** From here on none is new. */
  private readonly untilMs: number;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.random = random;
    let oldest = Number.POSITIVE_INFINITY;
    let newest = Number.NEGATIVE_INFINITY;
    for (const { addedAtMs } of endpoints) {
      oldest = Math.min(oldest, addedAtMs);
      newest = Math.max(newest, addedAtMs);
    }
    this.untilMs = newest > oldest ? newest + SLOW_START_MS : Number.NEGATIVE_INFINITY;
  }

  /** Whether any instance is held back now. */
  isOn(nowMs: number): boolean {
    return nowMs < this.untilMs;
  }

  /** Whether this one should be passed over this time. */
  passesOver(endpoint: Endpoint, nowMs: number): boolean {
    if (nowMs >= this.untilMs) return false;
    const ageMs = nowMs - endpoint.addedAtMs;
    return ageMs < SLOW_START_MS && this.random() >= Math.max(MIN_SHARE, ageMs / SLOW_START_MS);
  }
}
