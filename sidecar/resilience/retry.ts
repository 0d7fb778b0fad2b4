import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { Exchange } from '../exchange.ts';
import { type AttemptBoundary, CONTINUE } from '../step.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import { backoffMs, retryAfterMs } from './retry-pause.ts';
import { DEFAULT_BACKOFF_MS, retryReason } from './retry-policy.ts';

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Counts the retries that are under way at a destination; undefined: nobody does. */
  readonly breakerOf: (exchange: Exchange) => CircuitBreaker | undefined;
  readonly onRetry: (exchange: Exchange, reason: string) => void;
}

/**
 * Repeats an attempt that provably was not processed, or that the policy allows to repeat, while the budget and the circuit breaker allow it.
 * The first repetition of something that was not sent goes out at once, to another instance; the others after a pause with full jitter, or
 * after the one that the answer asks for (`Retry-After`). Without a retry the answer is the attempt's own.
 */
export const retry = ({ clock, random, breakerOf, onRetry }: RetryOptions): AttemptBoundary => {
  const giveBack = (exchange: Exchange): void => {
    exchange.retryCountedBy?.give('retries');
    exchange.retryCountedBy = undefined;
  };
  return {
    begin: exchange => {
      exchange.attempt = 1;
      exchange.plan?.retryBudget?.deposit();
      return CONTINUE;
    },
    again: (exchange, error, head) => {
      const { plan, attempt, reusedConnection, deadlineMs } = exchange;
      if (plan === undefined) return false;
      const reason = retryReason(exchange.head, { error, head, reusedConnection }, attempt, plan);
      if (reason === '') return false;
      const askedMs = retryAfterMs(head, clock.wallMs());
      if (askedMs === undefined) return false;
      const notSent = error?.retry === 'not-sent' || head?.mesh?.notProcessed === true;
      const atOnce = attempt === 1 && (notSent || reusedConnection);
      const ownMs = atOnce ? 0 : backoffMs(plan.retry?.backoffMs ?? DEFAULT_BACKOFF_MS, attempt, random);
      const pauseMs = Math.max(askedMs, ownMs);
      if (deadlineMs > 0 && clock.nowMs() + pauseMs >= deadlineMs) return false;
      giveBack(exchange);
      const breaker = breakerOf(exchange);
      if (breaker?.take('retries') === false) return false;
      if (plan.retryBudget?.withdraw() === false) {
        breaker?.give('retries');
        return false;
      }
      exchange.retryCountedBy = breaker;
      onRetry(exchange, reason);
      clock.setTimer(pauseMs, () => exchange.tryAgain());
      return true;
    },
    end: giveBack,
  };
};
