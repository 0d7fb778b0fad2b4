import { proxyError } from '../errors/proxy-error.ts';
import type { Plan } from '../plan.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import type { EventLoopWatch } from './event-loop-watch.ts';
import type { OverloadEpisodes } from './overload-episodes.ts';

const HELD = proxyError('OVERLOAD', 'event_loop_held');

/**
 * Refuses new work while the event loop is held by the work that is there, before any more time goes into it. Counted for its destination where
 * requests with this head came before, else for none. Envoy: overload manager, stop_accepting_requests.
 */
export const spareEventLoop = (loop: EventLoopWatch, episodes: OverloadEpisodes): Step => ({
  begin: exchange => {
    loop.notice();
    if (!loop.held) return CONTINUE;
    episodes.refused('event_loop', loop.turnMs);
    exchange.plan = exchange.head.plan as Plan | undefined;
    exchange.fail(HELD);
    return STOP;
  },
});
