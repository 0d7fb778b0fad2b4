import type { Clock } from '../../common/clock.ts';

/** What was learned is forgotten after one to two of these: servers are reconfigured. */
const PERIOD_MS = 300_000;
/** Connections are given up at this part of the time after which the server was seen to close one. */
const SAFE_PART = 0.8;

/**
 * After how long without a request a server closes connections, learned from those that it closed. A connection that is older than the safe
 * part of it is not used: the request and the server's FIN would cross on the way. Owned by a pool.
 */
export class LearnedIdleTime {
  private readonly clock: Clock;
  private presentMs = Number.POSITIVE_INFINITY;
  private beforeMs = Number.POSITIVE_INFINITY;
  private periodFromMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.periodFromMs = clock.nowMs();
  }

  /** The server closed a connection that had been idle for so long. */
  closedAfter(idleMs: number): void {
    this.turn();
    this.presentMs = Math.min(this.presentMs, idleMs);
  }

  /** Connections that have been idle for longer should not be used; infinity: none was closed yet. */
  get safeMs(): number {
    this.turn();
    return Math.min(this.presentMs, this.beforeMs) * SAFE_PART;
  }

  private turn(): void {
    const nowMs = this.clock.nowMs();
    if (nowMs - this.periodFromMs < PERIOD_MS) return;
    this.beforeMs = nowMs - this.periodFromMs < 2 * PERIOD_MS ? this.presentMs : Number.POSITIVE_INFINITY;
    this.presentMs = Number.POSITIVE_INFINITY;
    this.periodFromMs = nowMs;
  }
}
