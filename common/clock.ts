/** Time as an argument: tests move it by hand and never sleep. */
import { performance } from 'node:perf_hooks';

/** A timer that was set. */
export interface Timer {
  /** The function won't be called any more. Harmless when it was called already. */
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start: for durations and deadlines. */
  nowMs(): number;
  /** Milliseconds since 1970: for certificates, tokens and logs. It may jump. */
  wallMs(): number;
  /** Calls `fn` once, after `ms` milliseconds. Does not keep the process alive. */
  setTimer(ms: number, fn: () => void): Timer;
}

/** `setTimeout` fires at once for anything longer (Node: TIMEOUT_MAX). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer: (ms, fn) => {
    const timeout = setTimeout(fn, Math.min(ms, MAX_TIMEOUT_MS)).unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** A clock that stands still until it is moved. */
export interface ManualClock extends Clock {
  /** Moves both clocks, and fires what is due on the way, in order of time and then of setting. */
  advance(ms: number): void;
  /** Moves the wall clock alone, as NTP does. */
  jump(ms: number): void;
  /** Timers that were set and neither fired nor cancelled. */
  readonly pending: number;
}

/** For tests. `wallMs`: where the wall clock starts. The monotonic clock starts at 0. */
export const manualClock = (wallMs = 0): ManualClock => {
  let now = 0;
  let offset = wallMs;
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>();
  const nextUntil = (end: number) => {
    let next: { readonly at: number; readonly fn: () => void } | undefined;
    for (const timer of timers) if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    return next;
  };
  return {
    nowMs: () => now,
    wallMs: () => now + offset,
    setTimer: (ms, fn) => {
      const timer = { at: now + Math.max(0, ms), fn };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance: ms => {
      const end = now + ms;
      for (let timer = nextUntil(end); timer !== undefined; timer = nextUntil(end)) {
        timers.delete(timer);
        now = timer.at;
        timer.fn();
      }
      now = end;
    },
    jump: ms => {
      offset += ms;
    },
    get pending() {
      return timers.size;
    },
  };
};
