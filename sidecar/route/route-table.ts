import { isIP, isIPv6, SocketAddress } from 'node:net';
import { SNI_PREFIX } from '../../api/discovery.ts';
import type { BackendView, PathNormalization, PortView, RouteView, ServiceView, Snapshot } from '../../api/snapshot.ts';
import { compileMatch, type Match } from './match-route.ts';

/** One port of one service, with its rules compiled. */
export interface ServicePort {
  /** `name.namespace:port`. */
  readonly key: string;
  readonly service: ServiceView;
  readonly port: PortView;
  /** The first that matches wins; empty: everything goes to this service itself. */
  readonly rules: readonly Rule[];
  /** A rule says that its calls get no reply. */
  readonly hasOneway: boolean;
}

export interface Rule {
  readonly view: RouteView;
  /** Any one is enough; empty: everything matches. */
  readonly matches: readonly Match[];
  readonly backends: readonly Backend[];
  /** Where copies go. */
  readonly mirror: { readonly clusterKey: string; readonly percent: number } | undefined;
}

export interface Backend {
  readonly view: BackendView;
  /** Undefined: the reference does not resolve. Key of the cluster otherwise. */
  readonly clusterKey: string | undefined;
}

/** Names that were looked up, found or not, are kept because they repeat. They come from the network, so number and length have a limit. */
const MAX_MEMO = 1_000;
/** A DNS name has at most 253 characters; with a last dot and a port. */
const MAX_AUTHORITY = 260;
/** RFC 3986 §3.2, without user information: `host`, `host:port`, `[IPv6]:port`. */
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/;
/** What may follow `service.namespace`. Kubernetes also resolves `svc` alone. */
const SUFFIXES: ReadonlySet<string> = new Set(['', 'mesh', 'svc', 'svc.cluster.local']);
const HTTP_LIKE: ReadonlySet<string> = new Set(['http', 'http2', 'grpc', 'hessian']);

/** The services of one snapshot by every name and address that they have. Immutable but for the memo. */
export class RouteTable {
  /** What is not in the mesh is passed through. */
  readonly allowsAny: boolean;
  /** How requests are spelled before they are matched. */
  readonly pathNormalization: PathNormalization;
  private readonly namespace: string;
  private readonly services = new Map<string, Map<number, ServicePort>>();
  private readonly addresses = new Map<string, ServicePort>();
  /** Servers outside, by `sni=host:port`. */
  private readonly outside = new Map<string, ServicePort>();
  private readonly memo = new Map<string, ServicePort | undefined>();

  /** `namespace`: the one that short names are in. */
  constructor(snapshot: Snapshot, namespace: string) {
    this.namespace = namespace;
    this.allowsAny = snapshot.outboundPolicy === 'ALLOW_ANY';
    this.pathNormalization = snapshot.pathNormalization ?? 'BASE';
    for (const service of snapshot.services) this.add(service);
  }

  private add(service: ServiceView): void {
    const name = `${service.name}.${service.namespace}`;
    const ports = new Map<number, ServicePort>();
    for (const port of service.ports) {
      const entry: ServicePort = {
        key: `${name}:${port.port}`,
        service,
        port,
        rules: this.compile(port.routes),
        hasOneway: port.routes.some(({ oneway }) => oneway === true),
      };
      ports.set(port.port, entry);
      for (const address of service.addresses) this.addresses.set(addressKey(address, port.port), entry);
      if (port.authority !== undefined) this.addOutside(service, entry);
    }
    this.services.set(name, ports);
  }

  /** Of several ports that lead to one of a server the one with its number is meant. */
  private addOutside({ endpoints }: ServiceView, entry: ServicePort): void {
    const { port } = entry.port;
    for (const { address, ports } of endpoints) {
      const key = SNI_PREFIX + address;
      if (ports[port] === port || (ports[port] !== undefined && !this.outside.has(key))) this.outside.set(key, entry);
    }
  }

  private compile(routes: readonly RouteView[]): readonly Rule[] {
    return routes.map(view => ({
      view,
      matches: view.matches.map(match => compileMatch(match, this.pathNormalization)),
      backends: view.backends.map(backend => ({
        view: backend,
        clusterKey: backend.service === null ? undefined : `${backend.service}:${backend.port}`,
      })),
      mirror: view.mirror && {
        clusterKey: `${view.mirror.service}:${view.mirror.port}`,
        percent: view.mirror.percent,
      },
    }));
  }

  /** By a Host or `:authority`: `name[.namespace[.svc.cluster.local|.mesh]][:port]`, in any case; by an original destination, or by `sni=host:port`. */
  find(authority: string): ServicePort | undefined {
    if (authority.length > MAX_AUTHORITY) return undefined;
    const known = this.memo.get(authority);
    if (known !== undefined || this.memo.has(authority)) return known;
    const found = this.resolve(authority.toLowerCase());
    if (this.memo.size >= MAX_MEMO) this.memo.clear();
    this.memo.set(authority, found);
    return found;
  }

  /** The service that a name means, whatever its port: for an answer that says which ports there are. */
  service(authority: string): ServiceView | undefined {
    if (authority.length > MAX_AUTHORITY) return undefined;
    const [, , name = ''] = AUTHORITY.exec(authority.toLowerCase()) ?? [];
    return this.portsOf(name)?.values().next().value?.service;
  }

  /** By an original destination. */
  findByAddress(address: string, port: number): ServicePort | undefined {
    return this.addresses.get(addressKey(address, port));
  }

  private resolve(authority: string): ServicePort | undefined {
    if (authority.startsWith(SNI_PREFIX)) return this.outside.get(authority);
    const [, ipv6, name = '', digits] = AUTHORITY.exec(authority) ?? [];
    const number = digits === undefined ? undefined : Number(digits);
    const host = ipv6 ?? name;
    if (isIP(host) !== 0) return number === undefined ? undefined : this.findByAddress(host, number);
    const ports = this.portsOf(host);
    const exact = number === undefined ? undefined : ports?.get(number);
    if (ports === undefined || exact !== undefined || (number !== undefined && number !== 80)) return exact;
    const all = [...ports.values()];
    return all.find(entry => HTTP_LIKE.has(entry.port.protocol)) ?? all[0];
  }

  private portsOf(host: string): ReadonlyMap<number, ServicePort> | undefined {
    const [service = '', namespace = this.namespace, ...rest] = host.replace(/\.$/, '').split('.');
    return SUFFIXES.has(rest.join('.')) ? this.services.get(`${service}.${namespace}`) : undefined;
  }
}

/** One spelling for each address: RFC 5952 for IPv6, plain IPv4 for what a socket of both families calls `::ffff:10.0.0.1`. */
const addressKey = (address: string, port: number): string => {
  const text = isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address;
  return `${text.startsWith('::ffff:') && text.includes('.') ? text.slice(7) : text} ${port}`;
};
