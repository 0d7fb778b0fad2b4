import type { Clock } from '../../common/clock.ts';
import { proxyError } from '../errors/proxy-error.ts';
import { judgeAttempt } from '../resilience/judge-attempt.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';

const NONE_HEALTHY = proxyError('NO_HEALTHY_UPSTREAM', 'no_endpoint');

/** Chooses the instance for this attempt, another one than the last time where there is one, and tells the balancer how it went. */
export const pickEndpoint = (clock: Clock): Step => ({
  begin: exchange => {
    const endpoint = exchange.backend?.cluster?.pick(exchange.triedEndpoint);
    if (endpoint === undefined) {
      exchange.fail(NONE_HEALTHY);
      return STOP;
    }
    exchange.endpoint = endpoint;
    exchange.attemptStartedAtMs = exchange.attempt === 1 ? exchange.startedAtMs : clock.nowMs();
    endpoint.active++;
    return CONTINUE;
  },
  end: exchange => {
    const { endpoint, error } = exchange;
    if (endpoint === undefined) return;
    exchange.endpoint = undefined;
    exchange.triedEndpoint = endpoint;
    endpoint.active--;
    const nowMs = clock.nowMs();
    const durationMs = nowMs - exchange.attemptStartedAtMs;
    // A caller that gave up says only that it would have taken longer.
    if (error?.code === 'DOWNSTREAM_RESET' && durationMs <= endpoint.latency.currentMs(nowMs)) return;
    const failed = error?.code !== 'DOWNSTREAM_RESET' && (error !== undefined || judgeAttempt(exchange) === 'failure');
    endpoint.latency.observe(durationMs, failed, nowMs);
  },
});
