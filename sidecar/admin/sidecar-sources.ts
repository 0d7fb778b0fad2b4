import type { RootLogger } from '../../common/logger.ts';
import { formatAddress, type SidecarConfig } from '../config.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { HealthChecks } from '../health/health-checks.ts';
import type { IdentityView } from '../identity/certificate-store.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { SidecarProxy } from '../proxy.ts';
import { LIMITS } from '../resilience/circuit-breaker.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { healthCheckRows } from './health-check-rows.ts';
import type { Readiness } from './readiness.ts';
import type { AdminSources, Row } from './sources.ts';

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
    workers: 1,
  }),
  configDump: () => ({ config: o.config, snapshot: o.discovery.snapshots.value }),
  clusters: () => [...clusterRows(o.proxy), ...healthCheckRows(o.checks, o.config.appAddress)],
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
  },
});

const clusterRows = (proxy: SidecarProxy): Row[] => {
  const rows: Row[] = [];
  for (const cluster of proxy.routing.clusters.all()) {
    for (const endpoint of cluster.endpoints) {
      rows.push({
        cluster: cluster.key,
        endpoint: endpoint.address,
        identity: endpoint.identity ?? '',
        state: endpoint.health,
        weight: endpoint.weight,
        active: endpoint.active,
        latency_ms: Math.round(endpoint.latency.currentMs(performance.now()) * 1_000) / 1_000,
        connections: proxy.endpoints.connections(endpoint),
        at_limit: LIMITS.filter(limit => cluster.breaker.isOpen(limit)).join(','),
        check: '',
      });
    }
  }
  return rows;
};

/** What the owners say at each scrape. */
export const collectProxy = (metrics: Metrics, proxy: SidecarProxy, identities: IdentityView): void => {
  metrics.onCollect('outrider_buffered_bytes', () => [{ labels: {}, value: proxy.budget.buffered }]);
  metrics.onCollect('outrider_overloaded', () => [
    { labels: { resource: 'memory' }, value: proxy.budget.exhausted ? 1 : 0 },
    { labels: { resource: 'event_loop' }, value: proxy.eventLoop.held ? 1 : 0 },
  ]);
  metrics.onCollect('outrider_overload_episodes_total', () =>
    proxy.overload.counts.map(({ resource, count }) => ({ labels: { resource }, value: count })),
  );
  metrics.onCollect('outrider_idle_timeouts_total', () =>
    Array.from(proxy.idleSweep.ended(), ({ service, namespace, count }) => ({
      labels: { destination_service: service, destination_namespace: namespace },
      value: count,
    })),
  );
  metrics.onCollect('outrider_active_requests', () =>
    (['outbound', 'inbound'] as const).map(direction => ({
      labels: { direction },
      value: proxy.inFlight[direction].count,
    })),
  );
  metrics.onCollect('outrider_open_connections', () => [
    { labels: { kind: 'from_app' }, value: proxy.fromApp.size },
    { labels: { kind: 'from_peers' }, value: proxy.fromPeers.size },
    { labels: { kind: 'to_peers' }, value: proxy.endpoints.total },
    { labels: { kind: 'to_app' }, value: proxy.app.connections },
  ]);
  metrics.onCollect('outrider_certificate_expiry_timestamp_seconds', () => {
    const identity = identities.current;
    return identity === undefined ? [] : [{ labels: { certificate: 'workload' }, value: identity.notAfterMs / 1_000 }];
  });
  metrics.onCollect('outrider_endpoint_state', () => {
    const samples = [];
    for (const cluster of proxy.routing.clusters.all()) {
      for (const endpoint of cluster.endpoints) {
        const labels = {
          destination_service: cluster.name,
          destination_namespace: cluster.namespace,
          destination_port: String(cluster.port),
          endpoint: endpoint.address,
          state: endpoint.health,
        };
        samples.push({ labels, value: 1 });
      }
    }
    return samples;
  });
  metrics.onCollect('outrider_circuit_breaker_state', () =>
    Array.from(proxy.routing.clusters.all()).flatMap(cluster =>
      LIMITS.map(limit => ({
        labels: {
          destination_service: cluster.name,
          destination_namespace: cluster.namespace,
          destination_port: String(cluster.port),
          limit,
        },
        value: cluster.breaker.isOpen(limit) ? 1 : 0,
      })),
    ),
  );
};
