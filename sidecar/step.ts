import type { ProxyError } from './errors/proxy-error.ts';
import type { Exchange } from './exchange.ts';
import type { ResponseHead } from './protocol/head.ts';

/** What a step says when an exchange comes by: go on, or stop here because it answered or will call `exchange.resume()`. */
export const CONTINUE = 0;
export const STOP = 1;
export type Verdict = typeof CONTINUE | typeof STOP;

/**
 * One stage of an exchange's life. What it takes in `begin` it gives back in `end`, which always runs, once for each `begin`, in reverse order.
 * Steps behind the retry step run once per attempt. No promise and no closure per request: this is the hot path.
 */
export interface Step {
  readonly begin: (exchange: Exchange) => Verdict;
  /** The head of the attempt's answer is here, and goes to the caller. */
  readonly answered?: (exchange: Exchange) => void;
  readonly end?: (exchange: Exchange) => void;
}

/** The step that stands between what happens once per exchange and what happens once per attempt. */
export interface AttemptBoundary extends Step {
  /** The attempt failed, or its answer might be worth another try (`head`). True: another attempt will be made, by `exchange.tryAgain()`. */
  readonly again: (exchange: Exchange, error: ProxyError | undefined, head: ResponseHead | undefined) => boolean;
}

/** Where nothing is tried. */
export const NEVER_AGAIN: AttemptBoundary = { begin: () => CONTINUE, again: () => false };

/** A list of steps, ready to run by index: functions in arrays, because a lookup in one of twenty shapes of objects costs more than the call. */
export class Pipeline {
  readonly begins: readonly Step['begin'][];
  readonly ends: readonly Step['end'][];
  readonly boundary: AttemptBoundary;
  /** Index of the first step of an attempt. */
  readonly attemptFrom: number;
  /** Those that want to know of the answer's head. */
  readonly listeners: readonly NonNullable<Step['answered']>[];

  constructor(once: readonly Step[], boundary: AttemptBoundary, attempt: readonly Step[]) {
    const steps: readonly Step[] = [...once, boundary, ...attempt];
    this.begins = steps.map(({ begin }) => begin);
    this.ends = steps.map(({ end }) => end);
    this.boundary = boundary;
    this.attemptFrom = once.length + 1;
    this.listeners = steps.flatMap(({ answered = [] }) => answered);
  }
}
