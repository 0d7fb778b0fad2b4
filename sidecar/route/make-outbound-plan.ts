import type { FilterView, ServiceView } from '../../api/snapshot.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import { RequestHead } from '../protocol/head.ts';
import { HeadCounters } from '../telemetry/head-counters.ts';
import type { HeadLabels } from '../telemetry/labels.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Cluster } from '../upstream/cluster.ts';
import { type Matched, matchRule } from './match-route.ts';
import { type Mirror, NO_BACKEND, NO_RULE, NO_SERVICE, noPort, OutboundPlan, PlanBackend } from './outbound-plan.ts';
import { redirectOf, rewriteRequest } from './rewrite.ts';
import type { Rule, ServicePort } from './route-table.ts';
import type { Routing } from './routing.ts';
import { rpcLabels } from './rpc-labels.ts';
import type { SharedCounters } from './shared-counters.ts';

/** Who we are, for the labels of what we send. */
export interface SourceLabels {
  readonly source_service: string;
  readonly source_namespace: string;
  readonly source_principal: string;
}

export interface PlanMaker {
  readonly routing: Routing;
  readonly metrics: Metrics;
  /** The principal is known once there is a certificate. */
  readonly source: () => SourceLabels;
}

/** The plan for a head, and whether it holds for every request with this head. */
export const makeOutboundPlan = (
  maker: PlanMaker,
  shared: SharedCounters,
  head: RequestHead,
  volatile: readonly string[],
  target: string,
): { plan: OutboundPlan; stable: boolean } => {
  const { routing } = maker;
  const servicePort = routing.table.find(target);
  if (servicePort === undefined) {
    const service = routing.table.service(target);
    const error = service === undefined ? NO_SERVICE : noPort(service);
    return { plan: emptyPlan(maker, head, error, service), stable: false }; // asked again the next time
  }
  const matched = matchRule(servicePort.rules, head, volatile);
  // Rules are about requests: bytes that are none, as an app's own TLS, go to the service itself.
  if (matched === undefined && servicePort.rules.length > 0 && head.method !== 'CONNECT')
    return { plan: emptyPlan(maker, head, NO_RULE, servicePort.service), stable: false };
  return { plan: fullPlan(maker, shared, head, servicePort, matched), stable: matched?.stable ?? true };
};

const emptyPlan = (maker: PlanMaker, head: RequestHead, error: ProxyError, service?: ServiceView): OutboundPlan =>
  new OutboundPlan({
    table: maker.routing.table,
    rule: undefined,
    backends: [],
    error,
    redirect: undefined,
    requestTimeoutMs: Number.POSITIVE_INFINITY,
    retryBudget: undefined,
    unrouted: () => countersTo(maker, head, service, '', ''),
  });

const fullPlan = (
  maker: PlanMaker,
  shared: SharedCounters,
  head: RequestHead,
  servicePort: ServicePort,
  matched: Matched | undefined,
): OutboundPlan => {
  const { clusters, table } = maker.routing;
  const own = clusters.get(servicePort.key);
  const rule = matched?.rule;
  const route = rule?.view.name ?? '';
  const filters = rule?.view.filters ?? [];
  const prefix = matched?.prefix ?? '';
  const backendTo = (cluster: Cluster | undefined, weight: number, own: readonly FilterView[]): PlanBackend => {
    // Filters come last: a hostname of theirs holds.
    const rewritten = rewriteRequest(addressedTo(cluster, head), filters, prefix);
    const protocol = cluster?.protocol ?? '';
    const { request_protocol, method } = rpcLabels(head, protocol);
    const key = `${maker.source().source_principal} ${cluster?.key ?? servicePort.key} ${route} ${request_protocol} ${method}`;
    const counters = shared.find(key, () =>
      countersTo(maker, head, cluster ?? servicePort.service, route, protocol, securityTo(cluster)),
    );
    const to = rewriteRequest(rewritten, own, prefix);
    return new PlanBackend(cluster, weight, to, route, counters, [...filters, ...own]);
  };
  const backends =
    rule === undefined
      ? [backendTo(own, 1, [])]
      : rule.backends.map(({ clusterKey, view }) =>
          backendTo(clusterKey === undefined ? undefined : clusters.get(clusterKey), view.weight, view.filters),
        );
  const redirect = redirectOf(head, filters, prefix);
  const timeoutMs = rule?.view.requestTimeoutMs ?? servicePort.port.policy.requestTimeoutMs;
  const parts = {
    table,
    rule,
    requestTimeoutMs: timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY,
    retryBudget: own?.budget,
    unrouted: () => countersTo(maker, head, servicePort.service, route, ''),
  };
  const mirrorTo = ({ clusterKey, percent }: NonNullable<Rule['mirror']>): Mirror | undefined => {
    const cluster = clusters.get(clusterKey);
    if (cluster === undefined) return undefined;
    const backend = backendTo(cluster, 1, []);
    return {
      plan: new OutboundPlan({ ...parts, backends: [backend], error: undefined, redirect: undefined }),
      backend,
      percent,
    };
  };
  return new OutboundPlan({
    ...parts,
    backends,
    error: redirect === undefined && !backends.some(backend => backend.weight > 0) ? NO_BACKEND : undefined,
    redirect,
    mirror: rule?.mirror && mirrorTo(rule.mirror),
  });
};

/** Servers outside are called by their own name, whatever the Service is called. */
const addressedTo = (cluster: Cluster | undefined, head: RequestHead): RequestHead => {
  const { method, scheme, path, fields, protocol, link, rpcMethod } = head;
  if (cluster === undefined || cluster.authority === '' || method === 'CONNECT') return head;
  return new RequestHead(method, scheme, cluster.authority, path, fields, protocol, link, rpcMethod);
};

/** Undefined: as to any service of the mesh. */
const securityTo = (cluster: Cluster | undefined): HeadLabels['connection_security_policy'] | undefined => {
  if (cluster === undefined || cluster.authority === '') return undefined;
  return cluster.policy.tls === undefined ? 'none' : 'tls';
};

/** Where requests with this head to this destination are counted. */
export const countersTo = (
  maker: PlanMaker,
  head: RequestHead,
  destination: { readonly name: string; readonly namespace: string } | undefined,
  route: string,
  protocol: string,
  security: HeadLabels['connection_security_policy'] = destination === undefined ? 'none' : 'mutual_tls',
): HeadCounters => {
  const labels: HeadLabels = {
    reporter: 'source',
    ...maker.source(),
    destination_service: destination?.name ?? 'unknown',
    destination_namespace: destination?.namespace ?? '',
    destination_principal: '',
    route,
    ...rpcLabels(head, protocol),
    connection_security_policy: security,
  };
  return new HeadCounters(maker.metrics, labels);
};
