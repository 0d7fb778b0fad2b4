import { performance } from 'node:perf_hooks';
import { hrtime } from 'node:process';
import { type Clock, systemClock } from '../../common/clock.ts';

const NS_PER_MS = 1e6;

/** When `performance.now()` of this thread was 0, by a clock that all threads have in common. */
export const clockOriginMs = (): number => Number(hrtime.bigint()) / NS_PER_MS - performance.now();

/** The system's clock as the thread whose clock began at `originMs` reads it, so that threads can share times. */
export const clockSince = (originMs: number): Clock => {
  const aheadMs = clockOriginMs() - originMs;
  return { ...systemClock, nowMs: () => performance.now() + aheadMs };
};
