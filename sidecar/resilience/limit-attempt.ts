import type { Clock, Timer } from '../../common/clock.ts';
import { proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import { CONTINUE, type Step } from '../step.ts';

const EXPIRED = proxyError('DEADLINE_EXCEEDED', 'attempt_timeout', '', 'if-idempotent');

/**
 * Gives each attempt its own time limit, from its start to the end of its answer, where the route sets one. What takes longer is given up, and
 * repeated where that is safe. Gateway API: timeouts.backendRequest; Envoy: per_try_timeout.
 */
export const limitAttempt = (clock: Clock): Step => {
  const timers = new WeakMap<Exchange, Timer>();
  return {
    begin: exchange => {
      const timeoutMs = exchange.plan?.attemptTimeoutMs ?? 0;
      if (timeoutMs > 0)
        timers.set(
          exchange,
          clock.setTimer(timeoutMs, () => exchange.attemptFailed(EXPIRED)),
        );
      return CONTINUE;
    },
    end: exchange => {
      if ((exchange.plan?.attemptTimeoutMs ?? 0) > 0) timers.get(exchange)?.cancel();
    },
  };
};
