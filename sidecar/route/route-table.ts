import type { BackendView, PortView, RouteView, ServiceView, Snapshot } from '../../api/snapshot.ts';
import { compileMatch, type Match } from './match-route.ts';

/** One port of one service, with its rules compiled. */
export interface ServicePort {
  /** `name.namespace:port`. */
  readonly key: string;
  readonly service: ServiceView;
  readonly port: PortView;
  /** The first that matches wins; empty: everything goes to this service itself. */
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly view: RouteView;
  /** Any one is enough; empty: everything matches. */
  readonly matches: readonly Match[];
  readonly backends: readonly Backend[];
  readonly totalWeight: number;
}

export interface Backend {
  readonly view: BackendView;
  /** Undefined: the reference does not resolve. Key of the cluster otherwise. */
  readonly clusterKey: string | undefined;
}

/** Names that were looked up and found or not, kept because they repeat; they come from the network, so there is a limit. */
const MAX_MEMO = 1_000;
const HTTP_LIKE: ReadonlySet<string> = new Set(['http', 'http2', 'grpc', 'hessian']);

/** The services of one snapshot by every name and address that they have. Immutable but for the memo. */
export class RouteTable {
  private readonly namespace: string;
  private readonly services = new Map<string, Map<number, ServicePort>>();
  private readonly addresses = new Map<string, ServicePort>();
  private readonly memo = new Map<string, ServicePort | undefined>();

  /** `namespace`: the one that short names are in. */
  constructor(snapshot: Snapshot, namespace: string) {
    this.namespace = namespace;
    for (const service of snapshot.services) this.add(service);
  }

  private add(service: ServiceView): void {
    const name = `${service.name}.${service.namespace}`;
    const ports = new Map<number, ServicePort>();
    for (const port of service.ports) {
      const entry: ServicePort = { key: `${name}:${port.port}`, service, port, rules: port.routes.map(compileRule) };
      ports.set(port.port, entry);
      for (const address of service.addresses) this.addresses.set(`${address}:${port.port}`, entry);
    }
    this.services.set(name, ports);
  }

  /** By a Host or `:authority`: `name[.namespace[.svc.cluster.local|.mesh]][:port]`, in any case. */
  find(authority: string): ServicePort | undefined {
    const known = this.memo.get(authority);
    if (known !== undefined || this.memo.has(authority)) return known;
    const found = this.resolve(authority.toLowerCase());
    if (this.memo.size >= MAX_MEMO) this.memo.clear();
    this.memo.set(authority, found);
    return found;
  }

  /** By an original destination. */
  findByAddress(address: string, port: number): ServicePort | undefined {
    return this.addresses.get(`${address}:${port}`);
  }

  private resolve(authority: string): ServicePort | undefined {
    const [, host = '', digits] = /^([^:]+?)\.?(?::([0-9]{1,5}))?$/.exec(authority) ?? [];
    const name = host.replace(/\.(?:svc\.cluster\.local|svc|mesh)$/, '');
    const ports = this.services.get(name) ?? this.services.get(`${name}.${this.namespace}`);
    if (ports === undefined) return digits === undefined ? undefined : this.findByAddress(host, Number(digits));
    const exact = digits === undefined ? undefined : ports.get(Number(digits));
    if (exact !== undefined || (digits !== undefined && digits !== '80')) return exact;
    const all = [...ports.values()];
    return all.find(entry => HTTP_LIKE.has(entry.port.protocol)) ?? all[0];
  }
}

const compileRule = (view: RouteView): Rule => ({
  view,
  matches: view.matches.map(compileMatch),
  backends: view.backends.map(backend => ({
    view: backend,
    clusterKey: backend.service === null ? undefined : `${backend.service}:${backend.port}`,
  })),
  totalWeight: view.backends.reduce((total, backend) => total + backend.weight, 0),
});
