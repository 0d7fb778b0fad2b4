import { proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';

const OVERFLOW = proxyError('OVERFLOW', 'max_requests');

/** Refuses an exchange when its destination has as many under way as it may. Answers OVERFLOW. Envoy: max_requests. */
export const limitRequests = (breakerOf: (exchange: Exchange) => CircuitBreaker | undefined): Step => ({
  begin: exchange => {
    const breaker = breakerOf(exchange);
    if (breaker === undefined) return CONTINUE;
    if (breaker.take('requests')) {
      exchange.countedBy = breaker;
      return CONTINUE;
    }
    exchange.fail(OVERFLOW);
    return STOP;
  },
  end: exchange => {
    exchange.countedBy?.give('requests');
    exchange.countedBy = undefined;
  },
});
