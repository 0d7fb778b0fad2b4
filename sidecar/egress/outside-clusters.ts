import { DEFAULT_POLICY, type EndpointView, type PortView } from '../../api/snapshot.ts';
import type { Address } from '../config.ts';
import { isGrpc } from '../errors/respond-to-error.ts';
import type { Exchange } from '../exchange.ts';
import { Cluster } from '../upstream/cluster.ts';
import { Endpoint } from '../upstream/endpoint.ts';
import type { Destination } from '../upstream/forward.ts';
import type { Transport } from '../upstream/transport.ts';
import { plainTransport, type TransportKind, type TransportParts } from '../upstream/transports.ts';
import { dialOutside, type IsOwn } from './dial-outside.ts';

/** As metrics call everything that is not in the mesh. Envoy: PassthroughCluster. */
const NAME = 'passthrough';
/** Destinations whose connections are kept; beyond it the one that was used longest ago goes. */
const MAX_DESTINATIONS = 1_000;

/** One `host:port` outside the mesh: a cluster with one instance, which has no sidecar, and the connections to it. */
export class OutsideCluster extends Cluster {
  private readonly parts: TransportParts;
  private readonly address: Address;
  private readonly isOwn: IsOwn;
  private readonly transports = new Map<TransportKind, Transport>();

  constructor(parts: TransportParts, address: Address, isOwn: IsOwn) {
    const port: PortView = { port: address.port, name: '', protocol: 'http', routes: [], policy: DEFAULT_POLICY };
    const view: EndpointView = {
      address: `${address.host}:${address.port}`,
      identity: null,
      ports: { [address.port]: address.port },
      weight: 1,
      workload: '',
      labels: {},
      locality: '',
    };
    super({ name: NAME, namespace: '', addresses: [], ports: [port], endpoints: [view] }, port, parts);
    this.parts = parts;
    this.address = address;
    this.isOwn = isOwn;
    this.update(port, [new Endpoint(view, parts.clock.nowMs())]);
  }

  transport(kind: TransportKind): Transport {
    let transport = this.transports.get(kind);
    if (transport === undefined) {
      const { parts, address, policy } = this;
      const dial = dialOutside(address.host, address.port, this.isOwn, () => policy.connectTimeoutMs, parts.clock);
      transport = plainTransport(parts, kind, dial, this.breaker);
      this.transports.set(kind, transport);
    }
    return transport;
  }

  drain(): void {
    for (const transport of this.transports.values()) transport.drain();
  }

  close(): void {
    for (const transport of this.transports.values()) transport.close();
  }
}

/** For the step `forward`; undefined: the exchange stays in the mesh. */
export const outsideDestination = ({ backend, endpoint }: Exchange): Destination | undefined => {
  const cluster = backend?.cluster;
  if (backend === undefined || endpoint === undefined || !(cluster instanceof OutsideCluster)) return undefined;
  const head = backend.headFor(endpoint);
  const kind = head.method === 'CONNECT' ? 'tcp' : isGrpc(head) ? 'http2' : 'http1';
  return { head, transport: cluster.transport(kind) };
};

/** The destinations outside the mesh that were called. Owned by the proxy. */
export class OutsideClusters {
  private readonly parts: TransportParts;
  private readonly isOwn: IsOwn;
  /** By `host:port`, the one that was used last at the end. */
  private readonly clusters = new Map<string, OutsideCluster>();

  constructor(parts: TransportParts, isOwn: IsOwn) {
    this.parts = parts;
    this.isOwn = isOwn;
  }

  get(address: Address): OutsideCluster {
    const key = `${address.host.toLowerCase()}:${address.port}`;
    const cluster = this.clusters.get(key) ?? new OutsideCluster(this.parts, address, this.isOwn);
    this.clusters.delete(key);
    this.clusters.set(key, cluster);
    for (const [oldest, old] of this.clusters) {
      if (this.clusters.size <= MAX_DESTINATIONS) break;
      this.clusters.delete(oldest);
      old.drain();
    }
    return cluster;
  }

  close(): void {
    for (const cluster of this.clusters.values()) cluster.close();
    this.clusters.clear();
  }
}
