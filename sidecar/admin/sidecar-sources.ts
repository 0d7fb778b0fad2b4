import type { RootLogger } from '../../common/logger.ts';
import { formatAddress, type SidecarConfig } from '../config.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { HealthChecks } from '../health/health-checks.ts';
import type { IdentityView } from '../identity/certificate-store.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { SidecarProxy } from '../proxy.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { WorkerGroup } from '../workers/worker-group.ts';
import { clusterRows, sumRows } from './cluster-rows.ts';
import { healthCheckRows } from './health-check-rows.ts';
import type { Readiness } from './readiness.ts';
import type { AdminSources } from './sources.ts';

export interface SidecarSourcesOptions {
  readonly config: SidecarConfig;
  readonly version: string;
  readonly proxy: SidecarProxy;
  readonly metrics: Metrics;
  readonly discovery: Discovery;
  readonly identities: IdentityView;
  readonly readiness: Readiness;
  readonly checks: HealthChecks;
  readonly lifecycle: Lifecycle;
  readonly log: RootLogger;
  /** The workers but this thread's; undefined: there are none. */
  readonly workers: WorkerGroup | undefined;
}

/** What the admin server shows of this sidecar. */
export const sidecarSources = (o: SidecarSourcesOptions): AdminSources => ({
  ready: () => o.readiness.state(),
  serverInfo: () => ({
    version: o.version,
    node_version: process.version,
    pid: process.pid,
    state: o.lifecycle.draining ? 'draining' : o.readiness.state().ready ? 'ready' : 'starting',
    uptime_seconds: Math.floor(process.uptime()),
    service: o.config.service,
    namespace: o.config.namespace,
    identity: o.identities.current?.id.uri ?? '',
    control_plane: o.discovery.status().controlPlane,
    config_version: o.discovery.snapshots.value.configVersion,
    endpoint_version: o.discovery.snapshots.value.endpointVersion,
    workers: o.config.workers,
  }),
  configDump: () => ({ config: o.config, snapshot: o.discovery.snapshots.value }),
  clusters: async () => {
    const rows = clusterRows(o.proxy, performance.now());
    const all = o.workers === undefined ? rows : sumRows([rows, ...(await o.workers.clusters())]);
    return [...all, ...healthCheckRows(o.checks, o.config.appAddress)];
  },
  certs: () => {
    const identity = o.identities.current;
    if (identity === undefined) return [];
    const day = (ms: number): string => new Date(ms).toISOString();
    return [
      {
        certificate: 'workload',
        id: identity.id.uri,
        not_before: day(identity.notBeforeMs),
        not_after: day(identity.notAfterMs),
      },
    ];
  },
  listeners: () =>
    o.proxy.listeners.map(listener => ({ name: listener.name, address: formatAddress(listener.address) })),
  stats: () => o.metrics.expose('text'),
  drain: () => o.lifecycle.drain(),
  quit: () => o.lifecycle.quit(),
  setLogLevel: level => {
    o.log.level = level;
    o.workers?.setLogLevel(level);
  },
});
