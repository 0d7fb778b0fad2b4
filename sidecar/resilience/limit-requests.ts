import { proxyError } from '../errors/proxy-error.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';

const OVERFLOW = proxyError('OVERFLOW', 'max_requests');

/**
 * Refuses an exchange when its cluster already has `maxRequests` under way. Refusing at once keeps a slow destination from filling our
 * memory; a queue would hide the overload. Envoy: circuit_breakers.thresholds.max_requests.
 */
export const limitRequests = (): Step => ({
  begin: exchange => {
    const cluster = exchange.backend?.cluster;
    if (cluster === undefined) return CONTINUE;
    cluster.requests++;
    if (cluster.requests <= cluster.policy.circuitBreaker.maxRequests) return CONTINUE;
    exchange.fail(OVERFLOW);
    return STOP;
  },
  end: exchange => {
    const cluster = exchange.backend?.cluster;
    if (cluster !== undefined) cluster.requests--;
  },
});
