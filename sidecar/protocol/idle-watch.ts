import type { Clock, Timer } from '../../common/clock.ts';

/** What `activity` says while a connection is at work. */
export const BUSY = -1;

/**
 * Tells when nothing happened on a connection for `timeoutMs`, at most a quarter late: it looks four times per timeout, so that a
 * request costs no timer. Owned by its connection, which stops it.
 */
export class IdleWatch {
  private seen: number;
  private quarters = 0;
  private timer: Timer;
  private readonly start: () => Timer;

  /** `activity`: a number that changes whenever something happened, or `BUSY`. */
  constructor(clock: Clock, timeoutMs: number, activity: () => number, onIdle: () => void) {
    this.seen = activity();
    const look = (): void => {
      const now = activity();
      this.quarters = now !== BUSY && now === this.seen ? this.quarters + 1 : 0;
      this.seen = now;
      this.timer = this.start();
      if (this.quarters === 4) onIdle();
    };
    this.start = () => clock.setTimer(timeoutMs / 4, look);
    this.timer = this.start();
  }

  stop(): void {
    this.timer.cancel();
  }
}
