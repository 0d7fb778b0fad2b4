import type { IdentityView } from '../identity/certificate-store.ts';
import type { SidecarProxy } from '../proxy.ts';
import { LIMITS } from '../resilience/circuit-breaker.ts';
import type { Metrics } from './metrics.ts';

/** What the owners of one worker say at each scrape. */
export const collectWorker = (metrics: Metrics, proxy: SidecarProxy): void => {
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
};

/** What all workers know together: the first one says it. */
export const collectShared = (metrics: Metrics, proxy: SidecarProxy, identities: IdentityView): void => {
  metrics.onCollect('outrider_buffered_bytes', () => [{ labels: {}, value: proxy.budget.buffered }]);
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
