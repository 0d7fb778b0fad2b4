import type { Clock } from '../../common/clock.ts';
import { proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import { judgeAttempt } from '../resilience/judge-attempt.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';

const NONE_HEALTHY = proxyError('NO_HEALTHY_UPSTREAM', 'no_endpoint');

/**
 * Chooses the instance for this attempt, another one than the last time where there is one, and tells the balancer how it does: by the time to the
 * head of the answer, so that a long answer does not count as a slow one, and by what went wrong, whenever that was.
 */
export const pickEndpoint = (clock: Clock): Step => ({
  begin: exchange => {
    const endpoint = exchange.backend?.cluster?.pick(exchange.triedEndpoint);
    if (endpoint === undefined) {
      exchange.fail(NONE_HEALTHY);
      return STOP;
    }
    exchange.endpoint = endpoint;
    if (exchange.attempt > 1) exchange.attemptStartedAtMs = clock.nowMs();
    endpoint.active++;
    endpoint.latency.awaits(exchange.attemptStartedAtMs);
    return CONTINUE;
  },
  answered: exchange => {
    const nowMs = clock.nowMs();
    exchange.answeredAtMs = nowMs;
    const failed = judgeAttempt(exchange) === 'failure';
    exchange.endpoint?.latency.answered(nowMs - exchange.attemptStartedAtMs, failed, nowMs);
  },
  end: exchange => {
    const { endpoint, answeredAtMs } = exchange;
    if (endpoint === undefined) return;
    exchange.endpoint = undefined;
    exchange.triedEndpoint = endpoint;
    endpoint.active--;
    if (answeredAtMs === 0) endpoint.latency.gaveUp();
    const failed = hasFailed(exchange);
    if (answeredAtMs > 0 && !failed) return;
    const nowMs = clock.nowMs();
    // How long a body took says nothing.
    const durationMs = answeredAtMs > 0 ? 0 : nowMs - exchange.attemptStartedAtMs;
    // A caller that gave up says only that it would have taken longer.
    if (!failed && durationMs <= endpoint.latency.currentMs(nowMs)) return;
    endpoint.latency.observe(durationMs, failed, nowMs);
  },
});

const hasFailed = (exchange: Exchange): boolean => {
  const { error } = exchange;
  return error === undefined ? judgeAttempt(exchange) === 'failure' : error.code !== 'DOWNSTREAM_RESET';
};
