/** A pair of Outrider sidecars without a control plane: each starts from its state folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AppProtocol as PortProtocol } from '../../api/snapshot.ts';
import { SERVICE_A, SERVICE_B } from '../chain/certificates.ts';
import { freePorts, waitUntil } from '../chain/ports.ts';
import { appService, writeState } from './outrider-state.ts';
import type { AppProtocol, Peer, PeerName } from './peer.ts';
import { type ProxyProcess, startPair } from './start-pair.ts';

const SOURCE = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const BUILT = fileURLToPath(new URL('../../bin/outrider.js', import.meta.url));
const BUILD = fileURLToPath(new URL('../../dist', import.meta.url));

const PORT_PROTOCOL: Readonly<Record<AppProtocol, PortProtocol>> = {
  http1: 'http',
  http2: 'http2',
  grpc: 'grpc',
  thrift: 'thrift',
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

export interface OutriderOptions {
  readonly name: PeerName;
  /** The `outrider` program: the sources by default. */
  readonly program?: string;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly unavailable?: () => string | undefined;
}

/** Our sidecars as a peer. */
export const outrider = (options: OutriderOptions): Peer => ({
  name: options.name,
  version: () => `${options.name === 'before' ? 'another' : 'this'} work tree, Node ${process.version}`,
  unavailable: () => options.unavailable?.(),
  async start({ appPort, certificates, children, directory, protocol }) {
    const [port, inbound, metricsA, metricsB] = (await freePorts(4)) as [number, number, number, number];
    const portProtocol = PORT_PROTOCOL[protocol];
    const { a, b, ca } = certificates;
    const stateA = join(directory, SERVICE_A);
    const stateB = join(directory, SERVICE_B);
    await writeState(stateA, { ca, certificate: a, services: [appService(portProtocol, inbound, appPort)] });
    await writeState(stateB, { ca, certificate: b, services: [] });
    const proxy = (metricsPort: number, own: Readonly<Record<string, string>>): ProxyProcess => ({
      start: () =>
        children.start(process.execPath, [...(options.nodeOptions ?? []), options.program ?? SOURCE, 'sidecar'], {
          environment: {
            OUTRIDER_CONTROL_PLANE: 'none',
            OUTRIDER_DRAIN: '1s',
            OUTRIDER_METRICS: `127.0.0.1:${metricsPort}`,
            OUTRIDER_INBOUND: '127.0.0.1:0',
            OUTRIDER_OUTBOUND: '127.0.0.1:0',
            OUTRIDER_ADMIN: '127.0.0.1:0',
            ...own,
            ...options.environment,
          },
          directory,
        }),
      ready: child => waitUntil(child, () => isReady(metricsPort)),
    });
    return startPair(
      port,
      proxy(metricsA, {
        OUTRIDER_SERVICE: SERVICE_A,
        OUTRIDER_STATE_DIR: stateA,
        OUTRIDER_UPSTREAMS: `${SERVICE_B}=127.0.0.1:${port}`,
      }),
      proxy(metricsB, {
        OUTRIDER_SERVICE: SERVICE_B,
        OUTRIDER_STATE_DIR: stateB,
        OUTRIDER_APP_PORTS: `${portProtocol}=${appPort}`,
        OUTRIDER_INBOUND: `127.0.0.1:${inbound}`,
      }),
    );
  },
});

const unbuilt = (): string | undefined =>
  existsSync(BUILD) ? undefined : 'there is no build; `npm run build` makes one.';

export const ours = outrider({ name: 'ours' });

export const oursWithTwoWorkers = outrider({
  name: 'ours with 2 workers',
  program: BUILT,
  environment: { OUTRIDER_WORKERS: '2' },
  unavailable: unbuilt,
});

/** Our sidecars from another work tree with its own dependencies: what a change is measured against. */
export const before = (workTree: string): Peer => outrider({ name: 'before', program: join(workTree, 'cli/main.ts') });

export const oursBuilt = outrider({
  name: 'ours (built)',
  program: BUILT,
  unavailable: unbuilt,
});
