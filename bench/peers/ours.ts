/** A pair of Outrider sidecars without a control plane: each starts from the snapshot and certificate in its state folder. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DEFAULT_POLICY,
  type AppProtocol as PortProtocol,
  type ServiceView,
  SNAPSHOT_FORMAT,
  type Snapshot,
} from '../../api/snapshot.ts';
import { readConfig } from '../../sidecar/config.ts';
import { type ProxyCertificate, SERVICE_A, SERVICE_B, spiffeId, TRUST_DOMAIN } from '../chain/certificates.ts';
import { freePorts, waitUntil } from '../chain/ports.ts';
import type { AppProtocol, Chain, Peer, PeerName } from './peer.ts';
import { type ProxyProcess, startPair } from './start-pair.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
/** Port of the service as callers know it. */
const SERVICE_PORT = 80;

const PORT_PROTOCOL: Readonly<Record<AppProtocol, PortProtocol>> = {
  http1: 'http',
  http2: 'http2',
  grpc: 'grpc',
  thrift: 'thrift',
};

const appService = (protocol: PortProtocol, inboundPort: number, appPort: number): ServiceView => ({
  name: SERVICE_B,
  namespace: 'default',
  addresses: [],
  ports: [{ port: SERVICE_PORT, name: protocol, protocol, routes: [], policy: DEFAULT_POLICY }],
  endpoints: [
    {
      address: `127.0.0.1:${inboundPort}`,
      identity: spiffeId(SERVICE_B),
      ports: { [SERVICE_PORT]: appPort },
      weight: 1,
      workload: `${SERVICE_B}-1`,
      labels: {},
      locality: '',
    },
  ],
});

const snapshot = (services: readonly ServiceView[]): Snapshot => ({
  format: SNAPSHOT_FORMAT,
  configVersion: '1',
  endpointVersion: '1',
  trustDomain: TRUST_DOMAIN,
  outboundPolicy: 'ALLOW_ANY',
  services,
});

const writeState = async (
  directory: string,
  chain: Chain,
  certificate: ProxyCertificate,
  content: Snapshot,
): Promise<void> => {
  await mkdir(directory, { mode: 0o700 });
  await copyFile(certificate.certificate, join(directory, 'certificate.pem'));
  await copyFile(certificate.key, join(directory, 'key.pem'));
  await copyFile(chain.certificates.ca, join(directory, 'trust-bundle.pem'));
  await writeFile(join(directory, 'snapshot.json'), JSON.stringify(content));
};

const isReady = async (metricsPort: number): Promise<boolean> => {
  try {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}/healthz/ready`);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
};

/** An option that the sidecar does not know would be ignored, and one worker measured as two. */
const hasWorkers = (): boolean => {
  const read = readConfig({ OUTRIDER_SERVICE: SERVICE_A, OUTRIDER_WORKERS: '2' });
  return 'config' in read && 'workers' in read.config;
};

/**
 * Our sidecars as a peer. `nodeOptions` go to Node itself, in front of the program; `environment` on top of the pair's own.
 */
export const outrider = (
  name: PeerName,
  environment: Readonly<Record<string, string>> = {},
  nodeOptions: readonly string[] = [],
): Peer => ({
  name,
  version: () => `this work tree, Node ${process.version}`,
  unavailable: () =>
    environment['OUTRIDER_WORKERS'] === undefined || hasWorkers() ? undefined : 'the sidecar has no workers yet.',
  async start(chain) {
    const [port, inbound, ...rest] = (await freePorts(8)) as [number, number, ...number[]];
    const [outboundA, inboundA, adminA, metricsA, adminB, metricsB] = rest as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const protocol = PORT_PROTOCOL[chain.protocol];
    const { a, b } = chain.certificates;
    const stateA = join(chain.directory, SERVICE_A);
    const stateB = join(chain.directory, SERVICE_B);
    await writeState(stateA, chain, a, snapshot([appService(protocol, inbound, chain.appPort)]));
    await writeState(stateB, chain, b, snapshot([]));
    const proxy = (metricsPort: number, own: Record<string, string>): ProxyProcess => ({
      start: () =>
        chain.children.start(process.execPath, [...nodeOptions, PROGRAM, 'sidecar'], {
          environment: {
            OUTRIDER_CONTROL_PLANE: 'none',
            OUTRIDER_DRAIN: '1s',
            OUTRIDER_METRICS: `127.0.0.1:${metricsPort}`,
            ...own,
            ...environment,
          },
          directory: chain.directory,
        }),
      ready: child => waitUntil(child, () => isReady(metricsPort)),
    });
    const pair = await startPair(
      port,
      proxy(metricsA, {
        OUTRIDER_SERVICE: SERVICE_A,
        OUTRIDER_STATE_DIR: stateA,
        OUTRIDER_UPSTREAMS: `${SERVICE_B}=127.0.0.1:${port}`,
        OUTRIDER_OUTBOUND: `127.0.0.1:${outboundA}`,
        OUTRIDER_INBOUND: `127.0.0.1:${inboundA}`,
        OUTRIDER_ADMIN: `127.0.0.1:${adminA}`,
      }),
      proxy(metricsB, {
        OUTRIDER_SERVICE: SERVICE_B,
        OUTRIDER_STATE_DIR: stateB,
        OUTRIDER_APP_PORTS: `${protocol}=${chain.appPort}`,
        OUTRIDER_OUTBOUND: '127.0.0.1:0',
        OUTRIDER_INBOUND: `127.0.0.1:${inbound}`,
        OUTRIDER_ADMIN: `127.0.0.1:${adminB}`,
      }),
    );
    return pair;
  },
});

export const ours = outrider('ours');
export const oursWithTwoWorkers = outrider('ours with 2 workers', { OUTRIDER_WORKERS: '2' });
