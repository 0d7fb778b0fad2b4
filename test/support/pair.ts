/**
 * A pair of sidecars as real processes, configured by files alone: `app → A (outbound) ══ mTLS ══ B (inbound) → app`.
 * A calls as service account `client`; B runs every service of the test as service account `server`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_POLICY, type PolicyView, type Snapshot } from '../../api/snapshot.ts';
import { startHaproxyPair } from './haproxy-pair.ts';
import { type ControlPair, directPair, type Pair, type PairService } from './pair-options.ts';
import { createSvid, createTestMesh, type TestMesh, writeStateDir } from './peer-certificates.ts';
import { freePorts } from './ports.ts';
import { Sidecar } from './sidecar-process.ts';

const SERVER_ID = 'spiffe://mesh.local/ns/default/sa/server';

export interface PairOptions {
  readonly services: readonly PairService[];
  /** Over the defaults, for every service. */
  readonly policy?: Partial<PolicyView>;
  /** The last word on the snapshot that A gets. */
  readonly editSnapshot?: (snapshot: Snapshot) => Snapshot;
  /** Added to the sidecars' environments. */
  readonly env?: { readonly a?: Readonly<Record<string, string>>; readonly b?: Readonly<Record<string, string>> };
}

export interface SidecarPair extends Pair {
  readonly kind: 'sidecars';
  /** Who signed their certificates. */
  readonly mesh: TestMesh;
  readonly a: Sidecar;
  readonly b: Sidecar;
}

/** The snapshot that names every service of the test, all at one endpoint. */
const pairSnapshot = (
  services: readonly PairService[],
  address: string,
  policy: Partial<PolicyView> = {},
): Snapshot => ({
  format: 1,
  configVersion: '1',
  endpointVersion: '1',
  trustDomain: 'mesh.local',
  outboundPolicy: 'REGISTRY_ONLY',
  services: services.map(({ name, port, protocol, appPort }) => ({
    name,
    namespace: 'default',
    addresses: [],
    ports: [{ port, name: '', protocol, routes: [], policy: { ...DEFAULT_POLICY, ...policy } }],
    endpoints: [
      {
        address,
        identity: SERVER_ID,
        ports: { [port]: appPort },
        weight: 1,
        workload: `${name}-1`,
        labels: {},
        locality: '',
      },
    ],
  })),
});

/** Workers of each sidecar, where the suites are run with several: `OUTRIDER_TEST_WORKERS=2`. */
export const WORKERS: number = Number(process.env.OUTRIDER_TEST_WORKERS || 1);
const workers = WORKERS === 1 ? {} : { OUTRIDER_WORKERS: String(WORKERS) };

/** Starts both, waits until both are ready. */
export const startSidecarPair = async (options: PairOptions): Promise<SidecarPair> => {
  const { services } = options;
  const directory = mkdtempSync(join(tmpdir(), 'pair-'));
  const [inboundA, inboundB, outboundA, outboundB, ...rest] = await freePorts(8 + services.length);
  const [adminA, adminB, metricsA, metricsB, ...upstreamPorts] = rest;
  const upstreams = new Map(services.map(({ name }, i) => [name, upstreamPorts[i]!]));
  const snapshot = pairSnapshot(services, `127.0.0.1:${inboundB}`, options.policy);
  const mesh = createTestMesh();
  const stateDirOf = (name: string, serviceAccount: string, content: Snapshot): string => {
    const path = join(directory, name);
    writeStateDir(path, createSvid(mesh.root, serviceAccount), mesh.bundle);
    writeFileSync(join(path, 'snapshot.json'), JSON.stringify(content), { mode: 0o600 });
    return path;
  };
  const a = new Sidecar('A', {
    service: 'client',
    stateDir: stateDirOf('a', 'client', options.editSnapshot?.(snapshot) ?? snapshot),
    ports: { inbound: inboundA!, outbound: outboundA!, admin: adminA!, metrics: metricsA! },
    env: {
      OUTRIDER_UPSTREAMS: [...upstreams].map(([name, port]) => `${name}=127.0.0.1:${port}`).join(','),
      ...workers,
      ...options.env?.a,
    },
  });
  const b = new Sidecar('B', {
    service: 'server',
    stateDir: stateDirOf('b', 'server', snapshot),
    ports: { inbound: inboundB!, outbound: outboundB!, admin: adminB!, metrics: metricsB! },
    env: {
      OUTRIDER_APP_PORTS: services.map(service => `${service.protocol}=${service.appPort}`).join(','),
      ...workers,
      ...options.env?.b,
    },
  });
  const stop = async (): Promise<void> => {
    await Promise.all([a.process.stop(), b.process.stop()]);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all([a.ready(), b.ready()]);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kind: 'sidecars',
    mesh,
    a,
    b,
    outbound: a.ports.outbound,
    inbound: b.ports.inbound,
    upstream: name => upstreams.get(name) ?? 0,
    output: () => `${a.process.output()}\n${b.process.output()}`,
    [Symbol.asyncDispose]: stop,
  };
};

/** The pair that `OUTRIDER_TEST_PAIR` names: `sidecars` (the default), `haproxy` or `direct`, for suites that make sense with any of them. */
export const startPair = async (options: PairOptions): Promise<SidecarPair | ControlPair> => {
  if (process.env.OUTRIDER_TEST_PAIR === 'haproxy') return startHaproxyPair(options.services);
  if (process.env.OUTRIDER_TEST_PAIR === 'direct') return directPair(options.services);
  return startSidecarPair(options);
};
