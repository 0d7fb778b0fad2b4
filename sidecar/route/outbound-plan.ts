import type { FaultView, FilterView, RetryView, ServiceView } from '../../api/snapshot.ts';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import type { Plan } from '../plan.ts';
import { type FieldList, RequestHead } from '../protocol/head.ts';
import type { RetryBudget } from '../resilience/retry-budget.ts';
import type { HeadCounters } from '../telemetry/head-counters.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { ResponseRewrite } from './response-rewrite.ts';
import { type Redirect, rewriteVolatile } from './rewrite.ts';
import type { RouteTable, Rule } from './route-table.ts';

/** One backend of a plan: its cluster, its weight, and the head as it goes there. */
export class PlanBackend {
  /** Undefined: the reference does not resolve; its share is answered with NO_ROUTE. */
  readonly cluster: Cluster | undefined;
  readonly weight: number;
  readonly counters: HeadCounters;
  /** What filters make of the answers; undefined: they stay. */
  readonly responseRewrite: ResponseRewrite | undefined;
  /** What filters make of the request's volatile fields; undefined: they stay. */
  readonly rewriteVolatile: ((volatile: FieldList) => FieldList) | undefined;
  private readonly head: RequestHead;
  private readonly route: string;
  private linked: RequestHead | undefined = undefined;

  /** `head`: as filters have made it. `filters`: in the order in which requests meet them. */
  constructor(
    cluster: Cluster | undefined,
    weight: number,
    head: RequestHead,
    route: string,
    counters: HeadCounters,
    filters: readonly FilterView[] = [],
  ) {
    this.cluster = cluster;
    this.weight = weight;
    this.head = head;
    this.route = route;
    this.counters = counters;
    this.rewriteVolatile = rewriteVolatile(filters, 'RequestHeaderModifier');
    this.responseRewrite = ResponseRewrite.of(filters);
  }

  /** The head for this instance: with the link's fields when a sidecar stands before it. */
  headFor(endpoint: Endpoint): RequestHead {
    const { cluster } = this;
    if (endpoint.identity === null || cluster === undefined) return this.head;
    const port = endpoint.appPort(cluster.port);
    if (this.linked?.link?.port !== port) {
      const { method, scheme, authority, path, fields, protocol } = this.head;
      this.linked = new RequestHead(
        method,
        scheme,
        authority,
        path,
        fields,
        protocol,
        cluster.linkInfo(port, this.route, this.head.link?.thrift),
      );
    }
    return this.linked;
  }
}

/** Where copies of requests go, and which share of them. */
export interface Mirror {
  readonly plan: Plan;
  readonly backend: PlanBackend;
  /** 0–100. */
  readonly percent: number;
}

export interface OutboundPlanParts {
  readonly table: RouteTable;
  readonly rule: Rule | undefined;
  readonly backends: readonly PlanBackend[];
  /** Answered without a backend. */
  readonly error: ProxyError | undefined;
  readonly redirect: Redirect | undefined;
  readonly requestTimeoutMs: number;
  readonly retryBudget: RetryBudget | undefined;
  readonly mirror?: Mirror | undefined;
  /** Counts what has no backend. */
  readonly unrouted: () => HeadCounters;
}

/** What was decided about one request head of the app. */
export class OutboundPlan implements Plan {
  readonly table: RouteTable;
  readonly backends: readonly PlanBackend[];
  readonly weights: readonly number[];
  readonly error: ProxyError | undefined;
  readonly redirect: Redirect | undefined;
  readonly requestTimeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly retry: RetryView | null;
  readonly fault: FaultView | undefined;
  readonly mirror: Mirror | undefined;
  readonly retriesResets = 'always';
  readonly retryBudget: RetryBudget | undefined;
  readonly route: string;
  private readonly unrouted: () => HeadCounters;
  private unroutedCounters: HeadCounters | undefined = undefined;

  constructor(parts: OutboundPlanParts) {
    this.table = parts.table;
    this.backends = parts.backends;
    this.weights = parts.backends.map(backend => backend.weight);
    this.error = parts.error;
    this.redirect = parts.redirect;
    this.requestTimeoutMs = parts.requestTimeoutMs;
    this.attemptTimeoutMs = parts.rule?.view.attemptTimeoutMs ?? 0;
    this.retry = parts.rule?.view.retry ?? null;
    this.fault = parts.rule?.view.fault;
    this.mirror = parts.mirror;
    this.retryBudget = parts.retryBudget;
    this.route = parts.rule?.view.name ?? '';
    this.unrouted = parts.unrouted;
  }

  countersFor(exchange: Exchange): HeadCounters {
    if (exchange.backend !== undefined) return exchange.backend.counters;
    this.unroutedCounters ??= this.unrouted();
    return this.unroutedCounters;
  }
}

export const NO_SERVICE = proxyError('NO_ROUTE', 'unknown_service');

/** There is such a service, and it has other ports. */
export const noPort = ({ name, namespace, ports }: ServiceView): ProxyError => {
  const list = ports.map(({ port, protocol }) => `${port} (${protocol})`).join(', ');
  const says = `The service ${name}.${namespace} has no such port: it has ${list}.`;
  return { ...proxyError('NO_ROUTE', 'unknown_port', says), says };
};

export const NO_RULE = proxyError('NO_ROUTE', 'no_matching_rule');
export const NO_BACKEND = proxyError('NO_BACKEND', 'no_backend');
