import type { BufferBudget } from '../buffer-budget.ts';
import { proxyError } from '../errors/proxy-error.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import type { OverloadEpisodes } from './overload-episodes.ts';

const OVERLOAD = proxyError('OVERLOAD', 'buffer_budget');

/** Refuses new work while the sidecar holds more than its buffer budget. Envoy: overload manager. */
export const shedLoad = (budget: BufferBudget, episodes: OverloadEpisodes): Step => ({
  begin: exchange => {
    if (!budget.exhausted) return CONTINUE;
    episodes.refused('memory', budget.buffered);
    exchange.fail(OVERLOAD);
    return STOP;
  },
});
