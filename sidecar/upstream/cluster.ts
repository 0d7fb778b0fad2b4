import type { EndpointView, PolicyView, PortView, ServiceView, Snapshot } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import { createPicker, type Picker } from '../balance/picker.ts';
import { LinkInfo } from '../protocol/head.ts';
import { BREAKER_COUNTS, CircuitBreaker, type Limit } from '../resilience/circuit-breaker.ts';
import { BUDGET_COUNTS, RetryBudget } from '../resilience/retry-budget.ts';
import { type Cells, ownCells } from '../workers/cells.ts';
import { ENDPOINT_BYTES, Endpoint, endpointKey } from './endpoint.ts';

/** What every cluster is built with. Owned by the proxy. */
export interface ClusterParts {
  readonly clock: Clock;
  readonly random: Random;
  /** The circuit breaker of a cluster refused something. */
  readonly onRefuse?: (cluster: Cluster, limit: Limit, max: number) => void;
  /** What all workers of the sidecar count together. Default: there is one worker. */
  readonly cells?: Cells;
  /** One of the next requests should go to this instance: other workers must hear of it. */
  readonly onProbe?: (cluster: Cluster, endpoint: Endpoint) => void;
}

// What all workers count of a cluster, in this order.
const USED = BREAKER_COUNTS;
const BUDGET = USED + 1;
const CLUSTER_BYTES = (BUDGET + BUDGET_COUNTS) * Int32Array.BYTES_PER_ELEMENT;

/** One port of one service: its instances, its policy, and what is under way. Owned by `Clusters`; kept across snapshots. */
export class Cluster {
  /** `name.namespace:port`. */
  readonly key: string;
  /** `name.namespace`. */
  readonly serviceName: string;
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
  protocol: PortView['protocol'];
  /** What requests that leave the mesh here are addressed to; '': as the caller wrote it. */
  authority: string;
  policy: PolicyView;
  budget: RetryBudget;
  endpoints: readonly Endpoint[] = [];
  /** What is under way there, and its limits. */
  readonly breaker: CircuitBreaker;
  /** Instances that the outlier detector wants to know about: each gets one of the next requests. */
  private readonly probes: Endpoint[] = [];
  private picker: Picker | undefined = undefined;
  private readonly links = new Map<string, LinkInfo>();
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly shared: Int32Array;
  private readonly onProbe: ClusterParts['onProbe'];

  constructor(service: ServiceView, port: PortView, parts: ClusterParts) {
    const { clock, random, onRefuse, cells = ownCells } = parts;
    this.name = service.name;
    this.namespace = service.namespace;
    this.serviceName = `${service.name}.${service.namespace}`;
    this.port = port.port;
    this.key = clusterKey(service, port);
    this.protocol = port.protocol;
    this.authority = port.authority ?? '';
    this.policy = port.policy;
    this.clock = clock;
    this.random = random;
    this.onProbe = parts.onProbe;
    this.shared = new Int32Array(cells(`cluster ${this.key}`, CLUSTER_BYTES));
    this.budget = this.makeBudget();
    this.breaker = new CircuitBreaker(
      port.policy.circuitBreaker,
      (limit, max) => onRefuse?.(this, limit, max),
      this.shared.subarray(0, BREAKER_COUNTS),
    );
  }

  private makeBudget(): RetryBudget {
    return new RetryBudget(this.policy.retryBudget, this.clock, this.shared.subarray(BUDGET));
  }

  /** Whether anything was sent there since this was last asked. */
  takeUsed(): boolean {
    return Atomics.exchange(this.shared, USED, 0) === 1;
  }

  /** The link's fields for requests to this app port by this route: the same object each time. */
  linkInfo(port: number, route: string, thrift = ''): LinkInfo {
    const key = `${port} ${route} ${thrift}`;
    let link = this.links.get(key);
    if (link === undefined) {
      link = new LinkInfo(this.serviceName, port, route, thrift);
      this.links.set(key, link);
    }
    return link;
  }

  pick(except: Endpoint | undefined): Endpoint | undefined {
    if (this.shared[USED] === 0) this.shared[USED] = 1;
    while (this.probes.length > 0 && except === undefined) {
      const endpoint = this.probes.shift();
      if (endpoint?.takeProbe() === true) return endpoint;
    }
    return this.picker?.pick(this.clock.nowMs(), except);
  }

  /** The next request goes to this instance. */
  probe(endpoint: Endpoint): void {
    endpoint.wantProbe(true);
    this.addProbe(endpoint);
    this.onProbe?.(this, endpoint);
  }

  /** The same, as another worker says. */
  addProbe(endpoint: Endpoint): void {
    if (!this.probes.includes(endpoint)) this.probes.push(endpoint);
  }

  /** It is known how the instance does. */
  noProbe(endpoint: Endpoint): void {
    endpoint.wantProbe(false);
    this.forgetProbe(endpoint);
  }

  private forgetProbe(endpoint: Endpoint): void {
    const at = this.probes.indexOf(endpoint);
    if (at >= 0) this.probes.splice(at, 1);
  }

  /** Takes what the newest snapshot says. */
  update(port: PortView, endpoints: readonly Endpoint[]): void {
    const isNewBudget = JSON.stringify(port.policy.retryBudget) !== JSON.stringify(this.policy.retryBudget);
    this.protocol = port.protocol;
    this.authority = port.authority ?? '';
    this.policy = port.policy;
    if (isNewBudget) {
      this.shared.fill(0, BUDGET);
      this.budget = this.makeBudget();
    }
    this.breaker.limits = port.policy.circuitBreaker;
    this.endpoints = endpoints;
    for (const probe of [...this.probes]) if (!endpoints.includes(probe)) this.forgetProbe(probe);
    this.links.clear();
    this.repick();
  }

  /** No snapshot has it any more: what is still on its way there finds nobody. */
  retire(): void {
    this.endpoints = [];
    this.probes.length = 0;
    this.repick();
  }

  /** Makes a new picker, after a change to the instances or to who is ejected. */
  repick(): void {
    this.picker = createPicker(this.endpoints, this.policy, this.random);
  }
}

/** All clusters of the present snapshot, and the instances behind them. Owned by the proxy. */
export class Clusters {
  private readonly parts: ClusterParts;
  private readonly onGone: (endpoint: Endpoint) => void;
  private clusters = new Map<string, Cluster>();
  private endpoints = new Map<string, Endpoint>();

  /** `onGone`: an instance is in no cluster any more; its connections may drain. */
  constructor(parts: ClusterParts, onGone: (endpoint: Endpoint) => void) {
    this.parts = parts;
    this.onGone = onGone;
  }

  get(key: string): Cluster | undefined {
    return this.clusters.get(key);
  }

  all(): Iterable<Cluster> {
    return this.clusters.values();
  }

  /** Whether anything went to this `service.namespace` since this was last asked, or is under way. */
  inUse(serviceName: string): boolean {
    let used = false;
    for (const cluster of this.clusters.values()) {
      if (cluster.serviceName !== serviceName) continue;
      const sent = cluster.takeUsed();
      used ||= sent || cluster.breaker.count('requests') > 0;
    }
    return used;
  }

  apply(snapshot: Snapshot): void {
    const clusters = new Map<string, Cluster>();
    const endpoints = new Map<string, Endpoint>();
    // One moment for all of them: who came together is new together.
    const nowMs = this.parts.clock.nowMs();
    for (const service of snapshot.services) {
      const instances = service.endpoints.map(view =>
        this.keep(endpoints, `${service.namespace}/${service.name} ${endpointKey(view)}`, view, nowMs),
      );
      for (const port of service.ports) {
        const known = this.clusters.get(clusterKey(service, port));
        const cluster = known ?? new Cluster(service, port, this.parts);
        cluster.update(
          port,
          instances.filter(endpoint => endpoint.view.ports[port.port] !== undefined),
        );
        clusters.set(cluster.key, cluster);
      }
    }
    const before = this.endpoints;
    for (const [key, cluster] of this.clusters) if (!clusters.has(key)) cluster.retire();
    this.clusters = clusters;
    this.endpoints = endpoints;
    for (const [key, endpoint] of before) if (!endpoints.has(key)) this.onGone(endpoint);
  }

  /** The instance of this name. */
  endpoint(key: string): Endpoint | undefined {
    return this.endpoints.get(key);
  }

  /** After an instance's health changed. */
  repick(endpoint: Endpoint): void {
    for (const cluster of this.clusters.values()) if (cluster.endpoints.includes(endpoint)) cluster.repick();
  }

  private keep(next: Map<string, Endpoint>, key: string, view: EndpointView, nowMs: number): Endpoint {
    const { cells = ownCells } = this.parts;
    const endpoint =
      this.endpoints.get(key) ?? new Endpoint(view, nowMs, key, cells(`endpoint ${key}`, ENDPOINT_BYTES));
    endpoint.view = view;
    next.set(key, endpoint);
    return endpoint;
  }
}

const clusterKey = ({ name, namespace }: ServiceView, { port }: PortView): string => `${name}.${namespace}:${port}`;
