import type { Clock, Timer } from '../../common/clock.ts';

/** How often the loop is looked at, while there is work. */
const LOOK_MS = 100;
/** A turn of the loop with so much work of our own in it is a long one, and so many are too much. */
export const LONG_TURN_MS = 500;
export const LONG_TURNS = 3;
/** A turn with less than this is a short one, and so many in a row, which take one second at least, are rest: what was before does not count. */
export const SHORT_TURN_MS = 100;
export const SHORT_TURNS = 10;

/** CPU time of this thread so far, user and system. */
export const threadCpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/**
 * Finds out whether the event loop is held by work: whether everybody waits because the turns of the loop are long.
 *
 *   calm ──3 turns ≥ 500 ms without rest between them──▶ held ──rest: 10 turns in a row < 100 ms──▶ calm
 *
 * The length of a turn is how late a timer fires, but at most the CPU time that this thread had meanwhile: when the system gives the time to
 * others, or stops the process, the timer is late as well, and to refuse work would help nobody. One long turn alone (a large configuration, a
 * collection of garbage) is over before anything could be refused for it. Nothing is measured while no work comes in. Owned by the proxy.
 */
export class EventLoopWatch implements Disposable {
  /** The state: the loop is held. */
  held = false;
  /** Length of the turn that was looked at last. */
  turnMs = 0;
  private longTurns = 0;
  private shortTurns = 0;
  private busy = false;
  private timer: Timer | undefined = undefined;
  private readonly clock: Clock;
  private readonly cpuMs: () => number;

  constructor(clock: Clock, cpuMs: () => number) {
    this.clock = clock;
    this.cpuMs = cpuMs;
  }

  /** Work came in. */
  notice(): void {
    this.busy = true;
    if (this.timer === undefined) this.wait();
  }

  [Symbol.dispose](): void {
    this.timer?.cancel();
  }

  private wait(): void {
    const dueMs = this.clock.nowMs() + LOOK_MS;
    const cpuMs = this.cpuMs();
    this.timer = this.clock.setTimer(LOOK_MS, () => {
      this.timer = undefined;
      this.judge(Math.min(this.clock.nowMs() - dueMs, this.cpuMs() - cpuMs));
      if (this.busy || this.held) this.wait();
      else this.longTurns = 0;
      this.busy = false;
    });
  }

  private judge(turnMs: number): void {
    this.turnMs = turnMs;
    this.shortTurns = turnMs < SHORT_TURN_MS ? this.shortTurns + 1 : 0;
    if (turnMs >= LONG_TURN_MS) this.longTurns++;
    else if (this.shortTurns >= SHORT_TURNS) this.longTurns = 0;
    this.held = this.longTurns >= LONG_TURNS;
  }
}
