/** A pair of Envoy processes, one worker thread each: mTLS and HTTP/2 between them, request ids and statistics on. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NAME_B, type ProxyCertificate } from '../chain/certificates.ts';
import { freePorts, waitUntilListening } from '../chain/ports.ts';
import { missingProgram, programVersion } from '../chain/programs.ts';
import type { Peer } from './peer.ts';
import { type ProxyProcess, startPair } from './start-pair.ts';

interface ProxyOptions {
  readonly adminPort: number;
  readonly port: number;
  readonly nextPort: number;
  readonly nextProtocol: 'http1' | 'http2';
  /** mTLS towards the callers or the next hop. */
  readonly side: 'listener' | 'cluster';
  readonly certificate: ProxyCertificate;
  readonly ca: string;
  readonly makeRequestId: boolean;
}

const TYPE = 'type.googleapis.com/envoy.extensions';

const socketAddress = (port: number): object => ({ socket_address: { address: '127.0.0.1', port_value: port } });

const commonTls = ({ certificate, ca, side }: ProxyOptions): object => ({
  tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
  alpn_protocols: ['h2'],
  tls_certificates: [
    { certificate_chain: { filename: certificate.certificate }, private_key: { filename: certificate.key } },
  ],
  validation_context: {
    trusted_ca: { filename: ca },
    ...(side === 'cluster' && { match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: NAME_B } }] }),
  },
});

const downstreamTls = (options: ProxyOptions): object => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: commonTls(options),
  },
});

const upstreamTls = (options: ProxyOptions): object => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
    sni: NAME_B,
    common_tls_context: commonTls(options),
  },
});

const router = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
};

const connectionManager = (options: ProxyOptions): object => ({
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bench',
    codec_type: 'AUTO',
    generate_request_id: options.makeRequestId,
    http_filters: [router],
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'next', timeout: '0s' } }],
        },
      ],
    },
  },
});

/** The configuration as JSON, which is YAML. */
const configure = (options: ProxyOptions): string =>
  JSON.stringify({
    admin: { address: socketAddress(options.adminPort) },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: socketAddress(options.port),
          filter_chains: [
            {
              filters: [connectionManager(options)],
              ...(options.side === 'listener' && { transport_socket: downstreamTls(options) }),
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'next',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'next',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(options.nextPort) } }] }],
          },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config:
                options.nextProtocol === 'http2' ? { http2_protocol_options: {} } : { http_protocol_options: {} },
            },
          },
          ...(options.side === 'cluster' && { transport_socket: upstreamTls(options) }),
        },
      ],
    },
  });

export const envoy: Peer = {
  name: 'envoy',
  version: () => programVersion('envoy', ['--version']) ?? '',
  unavailable: protocol => (protocol === 'thrift' ? 'The Envoy pair here is HTTP only.' : missingProgram(['envoy'])),
  async start({ children, certificates, appPort, directory, protocol }) {
    const [port, portB, adminA, adminB] = (await freePorts(4)) as [number, number, number, number];
    const proxy = async (file: string, options: ProxyOptions): Promise<ProxyProcess> => {
      const path = join(directory, file);
      await writeFile(path, configure(options));
      return {
        start: () =>
          children.start('envoy', ['-c', path, '--concurrency', '1', '--disable-hot-restart', '-l', 'error']),
        ready: child => waitUntilListening(child, options.port),
      };
    };
    const { ca, a, b } = certificates;
    return startPair(
      port,
      await proxy('a.yaml', {
        adminPort: adminA,
        port,
        nextPort: portB,
        nextProtocol: 'http2',
        side: 'cluster',
        certificate: a,
        ca,
        makeRequestId: true,
      }),
      await proxy('b.yaml', {
        adminPort: adminB,
        port: portB,
        nextPort: appPort,
        nextProtocol: protocol === 'http1' ? 'http1' : 'http2',
        side: 'listener',
        certificate: b,
        ca,
        makeRequestId: false,
      }),
    );
  },
};
