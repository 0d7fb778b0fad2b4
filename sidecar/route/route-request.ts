import type { Random } from '../../common/random.ts';
import { Fields, ResponseHead } from '../protocol/head.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import { targetOf } from './find-service.ts';
import { makeOutboundPlan, type PlanMaker } from './make-outbound-plan.ts';
import { NO_BACKEND, type OutboundPlan } from './outbound-plan.ts';
import type { Redirect } from './rewrite.ts';
import { SharedCounters } from './shared-counters.ts';
import { splitTraffic } from './split-traffic.ts';

const EMPTY = Buffer.alloc(0);

/**
 * Finds where a request goes: the service by the listener or the authority, the rule, and one of its backends by weight.
 * The plan is kept on the interned head and made anew when the config version has changed. Answers NO_ROUTE, or the rule's redirect.
 */
export const routeRequest = (maker: PlanMaker, random: Random, shared = new SharedCounters()): Step => ({
  begin: exchange => {
    if (exchange.plan !== undefined) return CONTINUE; // it leaves the mesh
    const { head } = exchange;
    let plan = head.plan as OutboundPlan | undefined;
    if (plan === undefined || plan.table !== maker.routing.table) {
      const made = makeOutboundPlan(maker, shared, head, exchange.volatile, targetOf(exchange));
      plan = made.plan;
      head.plan = made.stable ? plan : undefined;
    }
    exchange.plan = plan;
    if (plan.error !== undefined) {
      exchange.fail(plan.error);
      return STOP;
    }
    if (plan.redirect !== undefined) {
      exchange.send(redirectAnswer(plan.redirect));
      return STOP;
    }
    const at = plan.backends.length === 1 ? 0 : splitTraffic(plan.weights, random());
    const backend = plan.backends[at];
    exchange.backend = backend;
    if (backend?.cluster === undefined) {
      exchange.fail(NO_BACKEND);
      return STOP;
    }
    return CONTINUE;
  },
});

const redirectAnswer = (redirect: Redirect) => ({
  head: new ResponseHead(redirect.status, new Fields(['location', redirect.location])),
  volatile: ['content-length', '0'],
  body: EMPTY,
  grpcStatus: '',
});
