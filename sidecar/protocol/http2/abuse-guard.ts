import type { Clock } from '../../../common/clock.ts';

/** Frames that cost the receiver and bring nothing, allowed per window beyond one for each useful exchange. */
export const MAX_IDLE_FRAMES = 1_000;
/** The same on a link, which carries the cancellations of everybody behind the peer's sidecar; that one has limited each of them. */
export const MAX_IDLE_LINK_FRAMES = 20_000;
const WINDOW_MS = 10_000;
/** Replies that one DATA frame of ours pays for: two WINDOW_UPDATEs, and the PING of a client that measures its bandwidth. */
const REPLIES_PER_DATA = 3;
const MAX_REPLIES = 1_000;

/**
 * Counts what a peer sends without any use (PING, SETTINGS, PRIORITY, empty DATA, tiny WINDOW_UPDATE, resets, unknown frames) against a
 * limit per 10 s, so that no flood costs more than a bounded amount. Each finished exchange pays for one such frame, and DATA that we
 * send for the replies that it brings about, so ordinary use is never mistaken for a flood. Owned by its connection.
 */
export class AbuseGuard {
  private count = 0;
  private replies = 0;
  private windowStartMs: number;
  private readonly clock: Clock;
  private readonly maxFrames: number;

  constructor(clock: Clock, maxFrames: number) {
    this.clock = clock;
    this.maxFrames = maxFrames;
    this.windowStartMs = clock.nowMs();
  }

  /** True when the peer has gone too far: answer ENHANCE_YOUR_CALM. */
  idleFrame(cost = 1): boolean {
    this.count += cost;
    if (this.count <= this.maxFrames) return false;
    const now = this.clock.nowMs();
    if (now - this.windowStartMs < WINDOW_MS) return true;
    this.windowStartMs = now;
    this.count = cost;
    return false;
  }

  /** A PING or a tiny WINDOW_UPDATE: free while DATA of ours may have called for it. True: too far, as above. */
  reply(): boolean {
    if (this.replies === 0) return this.idleFrame();
    this.replies--;
    return false;
  }

  /** We have sent a DATA frame. */
  dataSent(): void {
    this.replies = Math.min(this.replies + REPLIES_PER_DATA, MAX_REPLIES);
  }

  /** An exchange went to its end. */
  useful(): void {
    if (this.count > 0) this.count--;
  }
}
