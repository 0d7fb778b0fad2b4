import { AssertionError } from 'node:assert';
import type { TlsOriginationView } from '../../api/snapshot.ts';
import { type Address, parseAddress } from '../config.ts';
import { ServerTransports } from '../egress/tls/server-transports.ts';
import { isGrpc } from '../errors/respond-to-error.ts';
import type { Exchange } from '../exchange.ts';
import type { IdentityView } from '../identity/certificate-store.ts';
import { dialMtls } from '../identity/originate-mtls.ts';
import { type RequestHead, staysHttp2 } from '../protocol/head.ts';
import { isThrift } from '../route/rpc-labels.ts';
import type { Cluster } from './cluster.ts';
import { dialTcp } from './dial-tcp.ts';
import type { Endpoint } from './endpoint.ts';
import type { Destination } from './forward.ts';
import type { MultiplexedPool } from './multiplexed-pool.ts';
import type { Dial, Transport } from './transport.ts';
import { linkTransport, plainTransport, type TransportKind, type TransportParts } from './transports.ts';

export interface EndpointTransportsOptions {
  readonly parts: TransportParts;
  readonly store: IdentityView;
  /** What we say of ourselves on the link. */
  readonly hello: Buffer;
}

/**
 * The connections to each instance: one link to a sidecar, whatever it carries; plain ones by protocol to an instance without.
 * Keyed by the endpoint object, so a reused address never inherits a connection; and when a root comes or goes, no link takes a request that was made
 * before. Owned by the proxy.
 */
export class EndpointTransports {
  private readonly options: EndpointTransportsOptions;
  private readonly byEndpoint = new Map<Endpoint, Map<string, Transport>>();
  /** Of servers outside with a certificate of their own, by cluster. */
  private readonly byServer = new Map<Endpoint, Map<string, ServerTransports>>();
  private readonly links = new Map<Endpoint, MultiplexedPool>();
  private readonly stopFollowing: () => void;
  private bundleVersion: string | undefined;

  constructor(options: EndpointTransportsOptions) {
    this.options = options;
    const { store } = options;
    this.bundleVersion = store.current?.bundle.version;
    this.stopFollowing = store.onChange(({ bundle }) => {
      if (bundle.version === this.bundleVersion) return;
      this.bundleVersion = bundle.version;
      for (const link of this.links.values()) link.renew();
    });
  }

  /** For the step `forward`. */
  readonly destination = (exchange: Exchange): Destination => {
    const { backend, endpoint } = exchange;
    const cluster = backend?.cluster;
    if (backend === undefined || endpoint === undefined || cluster === undefined)
      throw new AssertionError({ message: 'forward runs behind pickEndpoint' });
    const head = backend.headFor(endpoint);
    return { head, transport: this.transport(cluster, endpoint, head) };
  };

  private transport(cluster: Cluster, endpoint: Endpoint, head: RequestHead): Transport {
    let transports = this.byEndpoint.get(endpoint);
    if (transports === undefined) {
      transports = new Map();
      this.byEndpoint.set(endpoint, transports);
    }
    const kind = endpoint.identity !== null ? 'link' : plainKind(cluster, head);
    // What is TLS already is not put into TLS again.
    if (kind !== 'link' && cluster.policy.tls !== undefined && !(kind === 'tcp' && head.scheme === 'https'))
      return this.servers(cluster, endpoint, cluster.policy.tls).get(kind, head);
    let transport = transports.get(kind);
    if (transport === undefined) {
      transport = kind === 'link' ? this.link(cluster, endpoint) : this.plain(cluster, endpoint, kind);
      transports.set(kind, transport);
    }
    return transport;
  }

  /** Ports of one server may have policies of their own. What was made as an older one said may end. */
  private servers(cluster: Cluster, endpoint: Endpoint, tls: TlsOriginationView): ServerTransports {
    let byCluster = this.byServer.get(endpoint);
    if (byCluster === undefined) {
      byCluster = new Map();
      this.byServer.set(endpoint, byCluster);
    }
    const known = byCluster.get(cluster.key);
    if (known?.isFor(cluster, tls) === true) return known;
    known?.drain();
    const servers = new ServerTransports(this.options.parts, cluster, tls, addressOf(endpoint));
    byCluster.set(cluster.key, servers);
    return servers;
  }

  private link(cluster: Cluster, endpoint: Endpoint): Transport {
    const { parts, store, hello } = this.options;
    const { host, port } = addressOf(endpoint);
    const dial: Dial = done => {
      const timeoutMs = cluster.policy.connectTimeoutMs;
      const options = {
        host,
        port,
        expectedId: endpoint.identity as string,
        store,
        clock: parts.clock,
        alpn: ['outrider/1'],
        timeoutMs,
      };
      const dialled = dialMtls(options, (error, socket, _peer, validity) => done(error, socket, validity));
      return () => dialled.cancel();
    };
    const link = linkTransport(parts, dial, hello, cluster.breaker);
    this.links.set(endpoint, link);
    return link;
  }

  private plain(cluster: Cluster, endpoint: Endpoint, kind: TransportKind): Transport {
    const { parts } = this.options;
    const { host, port } = addressOf(endpoint);
    const dial = dialTcp(host, port, () => cluster.policy.connectTimeoutMs, parts.clock);
    return plainTransport(parts, kind, dial, cluster.breaker);
  }

  /** An instance that no snapshot lists any more: what is under way may end. */
  drain(endpoint: Endpoint): void {
    const transports = this.byEndpoint.get(endpoint);
    this.byEndpoint.delete(endpoint);
    this.links.delete(endpoint);
    for (const transport of transports?.values() ?? []) transport.drain();
    for (const servers of this.byServer.get(endpoint)?.values() ?? []) servers.drain();
    this.byServer.delete(endpoint);
  }

  /** Connections to an instance, for people. */
  connections(endpoint: Endpoint): number {
    let open = 0;
    for (const transport of this.byEndpoint.get(endpoint)?.values() ?? []) open += transport.connections;
    for (const servers of this.byServer.get(endpoint)?.values() ?? []) open += servers.connections;
    return open;
  }

  get total(): number {
    let open = 0;
    for (const endpoint of this.byEndpoint.keys()) open += this.connections(endpoint);
    return open;
  }

  close(): void {
    this.stopFollowing();
    for (const transports of this.byEndpoint.values()) for (const transport of transports.values()) transport.close();
    for (const byCluster of this.byServer.values()) for (const servers of byCluster.values()) servers.close();
    this.byEndpoint.clear();
    this.byServer.clear();
    this.links.clear();
  }
}

const plainKind = (cluster: Cluster, head: RequestHead): TransportKind => {
  if (head.method === 'CONNECT') return 'tcp';
  if (isThrift(head)) return 'thrift';
  const { protocol } = cluster;
  return protocol === 'http2' || protocol === 'grpc' || isGrpc(head) || staysHttp2(head) ? 'http2' : 'http1';
};

/** Validation has seen to it that the address is one. */
const addressOf = (endpoint: Endpoint): Address => {
  const address = parseAddress(endpoint.address);
  if (address === undefined)
    throw new AssertionError({ message: `an endpoint's address is host:port, not ${endpoint.address}` });
  return address;
};
