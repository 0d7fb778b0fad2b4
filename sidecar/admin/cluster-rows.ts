import type { SidecarProxy } from '../proxy.ts';
import { LIMITS } from '../resilience/circuit-breaker.ts';
import type { Row } from './sources.ts';

/** An instance as one worker sees it: what it has under way and how fast it is are its own, the rest is known to all. */
export interface ClusterRow extends Row {
  readonly cluster: string;
  readonly endpoint: string;
  readonly active: number;
  readonly latency_ms: number;
  readonly connections: number;
}

/** The instances of each destination. `nowMs`: by the clock of the thread. */
export const clusterRows = (proxy: SidecarProxy, nowMs: number): ClusterRow[] => {
  const rows: ClusterRow[] = [];
  for (const cluster of proxy.routing.clusters.all()) {
    for (const endpoint of cluster.endpoints) {
      rows.push({
        cluster: cluster.key,
        endpoint: endpoint.address,
        identity: endpoint.identity ?? '',
        state: endpoint.health,
        weight: endpoint.weight,
        active: endpoint.active,
        latency_ms: Math.round(endpoint.latency.currentMs(nowMs) * 1_000) / 1_000,
        connections: proxy.endpoints.connections(endpoint),
        at_limit: LIMITS.filter(limit => cluster.breaker.isOpen(limit)).join(','),
        check: '',
      });
    }
  }
  return rows;
};

/** The rows of all workers as one table: what is under way added up, and of the latencies the largest. */
export const sumRows = ([first = [], ...others]: readonly (readonly ClusterRow[])[]): ClusterRow[] => {
  const byKey = new Map(first.map(row => [keyOf(row), row]));
  for (const row of others.flat()) {
    const sum = byKey.get(keyOf(row));
    // A worker may be a moment ahead with the snapshot.
    if (sum === undefined) continue;
    byKey.set(keyOf(row), {
      ...sum,
      active: sum.active + row.active,
      latency_ms: Math.max(sum.latency_ms, row.latency_ms),
      connections: sum.connections + row.connections,
    });
  }
  return [...byKey.values()];
};

const keyOf = ({ cluster, endpoint }: ClusterRow): string => `${cluster} ${endpoint}`;
