import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import { proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';

const INJECTED = proxyError('FAULT_INJECTED', 'fault_injected');

/** Delays and aborts the share of exchanges that the rule says, as the destination might. Answers FAULT_INJECTED. Envoy: the HTTP fault filter. */
export const injectFault = (clock: Clock, random: Random): Step => {
  const waits = new WeakMap<Exchange, Timer>();
  const hits = (percent: number): boolean => random() * 100 < percent;
  return {
    begin: exchange => {
      const fault = exchange.plan?.fault;
      if (fault === undefined) return CONTINUE;
      const goOn = (): boolean => {
        if (!hits(fault.abortPercent)) return true;
        exchange.fail(INJECTED);
        return false;
      };
      if (!hits(fault.delayPercent)) return goOn() ? CONTINUE : STOP;
      const timer = clock.setTimer(fault.delayMs, () => {
        // No instance is to blame for the wait.
        exchange.attemptStartedAtMs = clock.nowMs();
        if (goOn()) exchange.resume();
      });
      waits.set(exchange, timer);
      return STOP;
    },
    end: exchange => waits.get(exchange)?.cancel(),
  };
};
