import { proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';

const MAX_REQUESTS = proxyError('OVERFLOW', 'max_requests');
const CONNECTIONS = proxyError('OVERFLOW', 'connections');

/**
 * Refuses an exchange when its destination has as many under way as it may, and a raw TCP connection also when it has as many of those as it may have
 * connections. Answers OVERFLOW. Envoy: max_requests, max_connections.
 */
export const limitRequests = (breakerOf: (exchange: Exchange) => CircuitBreaker | undefined): Step => ({
  begin: exchange => {
    const breaker = breakerOf(exchange);
    if (breaker === undefined) return CONTINUE;
    const refusedBy = isRaw(exchange) ? breaker.takeRaw() : breaker.take('requests') ? undefined : 'requests';
    if (refusedBy === undefined) {
      exchange.countedBy = breaker;
      return CONTINUE;
    }
    exchange.fail(refusedBy === 'connections' ? CONNECTIONS : MAX_REQUESTS);
    return STOP;
  },
  end: exchange => {
    if (isRaw(exchange)) exchange.countedBy?.giveRaw();
    else exchange.countedBy?.give('requests');
    exchange.countedBy = undefined;
  },
});

const isRaw = ({ head }: Exchange): boolean => head.method === 'CONNECT';
