import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { Exchange } from '../exchange.ts';
import { type AttemptBoundary, CONTINUE } from '../step.ts';
import { DEFAULT_BACKOFF_MS, retryReason } from './retry-policy.ts';

/** Pauses grow to ten times the first one. Envoy: retry_back_off.max_interval. */
const MAX_BACKOFF_FACTOR = 10;

/**
 * Repeats an attempt that provably was not processed, or that the policy allows to repeat, while the budget lasts. The first
 * repetition of something that was not sent goes out at once, to another instance; the others after a pause with full jitter.
 */
export const retry = (
  clock: Clock,
  random: Random,
  onRetry: (exchange: Exchange, reason: string) => void,
): AttemptBoundary => ({
  begin: exchange => {
    exchange.attempt = 1;
    exchange.plan?.retryBudget?.deposit();
    return CONTINUE;
  },
  again: (exchange, error, head) => {
    const { plan } = exchange;
    if (plan === undefined) return false;
    const reason = retryReason(exchange.head, { error, head }, exchange.attempt, plan);
    if (reason === '' || plan.retryBudget?.withdraw() === false) return false;
    const firstMs = plan.retry?.backoffMs ?? DEFAULT_BACKOFF_MS;
    const atOnce = exchange.attempt === 1 && (error?.retry === 'not-sent' || head?.mesh !== undefined);
    const ceilingMs = firstMs * Math.min(2 ** (exchange.attempt - 1), MAX_BACKOFF_FACTOR);
    const pauseMs = atOnce ? 0 : random() * ceilingMs;
    if (exchange.deadlineMs > 0 && clock.nowMs() + pauseMs >= exchange.deadlineMs) return false;
    onRetry(exchange, reason);
    clock.setTimer(pauseMs, () => exchange.tryAgain());
    return true;
  },
});
