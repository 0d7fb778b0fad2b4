import type { Clock, Timer } from './clock.ts';

/** The wall clock may be set while we wait, and long timers fire early (`systemClock`): so it is looked at again at least this often. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Calls `fn` once, when the wall clock reads `atWallMs` or later; never before this returns. After a jump of the wall clock it is late by at
 * most a minute. For the ends of certificates; durations take `Clock.setTimer`.
 */
export const setWallTimer = (clock: Clock, atWallMs: number, fn: () => void): Timer => {
  let timer: Timer;
  const wait = (): void => {
    const leftMs = Math.max(0, atWallMs - clock.wallMs());
    timer = clock.setTimer(Math.min(leftMs, LOOK_AGAIN_MS), () => (clock.wallMs() >= atWallMs ? fn() : wait()));
  };
  wait();
  return { cancel: () => timer.cancel() };
};
