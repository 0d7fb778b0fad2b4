import type { Clock } from '../../../common/clock.ts';

/** Frames that cost the receiver and bring nothing, allowed per window beyond one for each useful exchange. */
export const MAX_IDLE_FRAMES = 1_000;
const WINDOW_MS = 10_000;

/**
 * Counts what a peer sends without any use (PING, SETTINGS, PRIORITY, empty DATA, tiny WINDOW_UPDATE, resets, unknown frames)
 * against `MAX_IDLE_FRAMES` per 10 s, so that no flood costs more than a bounded amount. Each finished exchange pays for one such frame,
 * so ordinary cancellation is never mistaken for a flood. Owned by its connection.
 */
export class AbuseGuard {
  private count = 0;
  private windowStartMs: number;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.windowStartMs = clock.nowMs();
  }

  /** True when the peer has gone too far: answer ENHANCE_YOUR_CALM. */
  idleFrame(cost = 1): boolean {
    this.count += cost;
    if (this.count <= MAX_IDLE_FRAMES) return false;
    const now = this.clock.nowMs();
    if (now - this.windowStartMs < WINDOW_MS) return true;
    this.windowStartMs = now;
    this.count = cost;
    return false;
  }

  /** An exchange was useful. */
  useful(): void {
    if (this.count > 0) this.count--;
  }
}
