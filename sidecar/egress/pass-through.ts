import { type Address, parseAddress } from '../config.ts';
import type { ServiceNames } from '../discovery/discovery.ts';
import type { RequestHead } from '../protocol/head.ts';
import { countersTo, type PlanMaker } from '../route/make-outbound-plan.ts';
import { OutboundPlan, PlanBackend } from '../route/outbound-plan.ts';
import { CONTINUE, type Step } from '../step.ts';
import type { OutsideCluster, OutsideClusters } from './outside-clusters.ts';

const HTTP_PORT = 80;

/**
 * Sends what the control plane has answered "not in the mesh" to where its name says, in plain text and by DNS, where `MeshConfig` says ALLOW_ANY.
 * Only what names its own destination: a port that stands for a service of the mesh never leads out of it. Everything else goes on to `routeRequest`.
 */
export const passThrough = (outside: OutsideClusters, discovery: ServiceNames, maker: PlanMaker): Step => ({
  begin: exchange => {
    const { head, origin } = exchange;
    const { table } = maker.routing;
    if ((head.plan as OutboundPlan | undefined)?.table === table) return CONTINUE;
    if (!table.allowsAny || origin.link || origin.target !== undefined) return CONTINUE;
    if (discovery.lookup(head.authority) !== 'not-in-mesh') return CONTINUE;
    const address = addressOf(head);
    if (address === undefined) return CONTINUE;
    const plan = planTo(outside.get(address), head, maker);
    exchange.plan = plan;
    exchange.backend = plan.backends[0];
    return CONTINUE;
  },
});

/** CONNECT has to name the port (RFC 9110 §9.3.6). */
const addressOf = ({ method, authority }: RequestHead): Address | undefined =>
  parseAddress(authority) ?? (method === 'CONNECT' ? undefined : parseAddress(`${authority}:${HTTP_PORT}`));

/** Made anew each time: the name may be in the mesh the next time. */
const planTo = (cluster: OutsideCluster, head: RequestHead, maker: PlanMaker): OutboundPlan => {
  const counters = countersTo(maker, head, cluster, '', cluster.protocol, 'none');
  return new OutboundPlan({
    table: maker.routing.table,
    rule: undefined,
    backends: [new PlanBackend(cluster, 1, head, '', counters)],
    error: undefined,
    redirect: undefined,
    requestTimeoutMs: Number.POSITIVE_INFINITY,
    retryBudget: cluster.budget,
    unrouted: () => counters,
  });
};
