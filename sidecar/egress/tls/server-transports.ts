import { isIPv6 } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { TlsOriginationView } from '../../../api/snapshot.ts';
import type { Address } from '../../config.ts';
import type { RequestHead } from '../../protocol/head.ts';
import type { Cluster } from '../../upstream/cluster.ts';
import type { Dial, Transport } from '../../upstream/transport.ts';
import { plainTransport, type TransportKind, type TransportParts } from '../../upstream/transports.ts';
import { type DialServer, dialServer } from './dial-server.ts';
import { HttpTransport } from './http-transport.ts';

/** How a connection is used: as `TransportKind` says; `upgrade`: for one HTTP/1.1 request that asks to be something else. */
type ServerKind = TransportKind | 'upgrade';

/** The connections to one server outside that shows a certificate. Owned by the transports of its endpoint, as long as the policy says the same. */
export class ServerTransports {
  private readonly tls: TlsOriginationView;
  private readonly parts: TransportParts;
  private readonly cluster: Cluster;
  private readonly authority: string;
  private readonly dial: DialServer;
  private readonly byKind = new Map<ServerKind, Transport>();

  constructor(parts: TransportParts, cluster: Cluster, tls: TlsOriginationView, { host, port }: Address) {
    const hostname = tls.hostname || host;
    this.tls = tls;
    this.parts = parts;
    this.cluster = cluster;
    this.authority = `${isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`;
    const secureContext = createSecureContext(tls.caCertificates === '' ? {} : { ca: tls.caCertificates });
    this.dial = dialServer({ host, port, hostname, secureContext }, () => cluster.policy.connectTimeoutMs, parts.clock);
  }

  /** Whether these are the connections of this cluster, made as the view says. */
  isFor(cluster: Cluster, tls: TlsOriginationView): boolean {
    if (cluster !== this.cluster) return false;
    return tls === this.tls || (tls.hostname === this.tls.hostname && tls.caCertificates === this.tls.caCertificates);
  }

  get(kind: TransportKind, head: RequestHead): Transport {
    const used = head.protocol !== '' && (kind === 'http1' || kind === 'http2') ? 'upgrade' : kind;
    let transport = this.byKind.get(used);
    if (transport === undefined) {
      transport = this.make(used);
      this.byKind.set(used, transport);
    }
    return transport;
  }

  private make(kind: ServerKind): Transport {
    const { parts, authority, dial } = this;
    const { breaker } = this.cluster;
    const raw =
      (...alpn: string[]): Dial =>
      done =>
        dial(alpn, done);
    switch (kind) {
      case 'http1':
      case 'http2':
        return new HttpTransport({ dial, breaker, authority, http2: kind === 'http2' });
      case 'upgrade':
        return plainTransport(parts, 'http1', raw('http/1.1'), breaker);
      case 'tcp':
      case 'thrift':
        return plainTransport(parts, kind, raw(), breaker);
      default:
        return kind satisfies never;
    }
  }

  get connections(): number {
    let open = 0;
    for (const transport of this.byKind.values()) open += transport.connections;
    return open;
  }

  drain(): void {
    for (const transport of this.byKind.values()) transport.drain();
  }

  close(): void {
    for (const transport of this.byKind.values()) transport.close();
  }
}
