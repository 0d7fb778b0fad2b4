import type { Clock, Timer } from '../../common/clock.ts';
import type { ServiceNames, WaitResult } from '../discovery/discovery.ts';
import { proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import { callerTimeoutMs } from '../resilience/deadline.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import type { OutboundPlan } from './outbound-plan.ts';
import type { Routing } from './routing.ts';

const TIMEOUT = proxyError('DISCOVERY_TIMEOUT', 'discovery_timeout');
const OVERLOADED = proxyError('DISCOVERY_TIMEOUT', 'discovery_overloaded');
const EXPIRED = proxyError('DEADLINE_EXCEEDED', 'request_timeout');

/** The name that an exchange is for: the listener's own, or the authority. */
export const targetOf = (exchange: Exchange): string => {
  const { head, origin } = exchange;
  return origin.link ? head.authority : (origin.target ?? head.authority);
};

/**
 * Makes sure that the control plane has said what is behind the name. The first request to a name waits for the answer, bounded in time,
 * number and by its own deadline; a head that has a plan of the present version goes straight on.
 * Answers DISCOVERY_TIMEOUT; a name that is not in the mesh goes on to `routeRequest`, which says so.
 */
export const findService = (discovery: ServiceNames, routing: Routing, clock: Clock): Step => {
  const waits = new WeakMap<Exchange, { readonly stop: () => void; readonly timer: Timer | undefined }>();
  const end = (exchange: Exchange): void => {
    const wait = waits.get(exchange);
    wait?.stop();
    wait?.timer?.cancel();
    waits.delete(exchange);
  };
  return {
    begin: exchange => {
      if ((exchange.head.plan as OutboundPlan | undefined)?.table === routing.table) return CONTINUE;
      const target = targetOf(exchange);
      if (discovery.lookup(target) !== 'unknown') return CONTINUE;
      let answered = false;
      const stop = discovery.wait(target, (result: WaitResult) => {
        answered = true;
        end(exchange);
        if (result === 'timeout') exchange.fail(TIMEOUT);
        else if (result === 'overloaded') exchange.fail(OVERLOADED);
        else {
          // No instance is to blame for the wait.
          exchange.attemptStartedAtMs = clock.nowMs();
          exchange.resume();
        }
      });
      if (answered) return STOP;
      const timeoutMs = callerTimeoutMs(exchange);
      const timer =
        timeoutMs === Number.POSITIVE_INFINITY ? undefined : clock.setTimer(timeoutMs, () => exchange.fail(EXPIRED));
      waits.set(exchange, { stop, timer });
      return STOP;
    },
    end,
  };
};
