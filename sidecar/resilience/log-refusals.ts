import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Limit } from './circuit-breaker.ts';

/** A destination at its limit says so once in so long, and not for each request. */
const QUIET_MS = 10_000;

/** Writes a line when a circuit breaker refuses, for each destination and limit at most every ten seconds. The rest is in the metrics. */
export const logRefusals = (log: Logger, clock: Clock): ((cluster: Cluster, limit: Limit, max: number) => void) => {
  const quietUntil = new WeakMap<Cluster, Map<Limit, number>>();
  return (cluster, limit, max) => {
    let until = quietUntil.get(cluster);
    if (until === undefined) {
      until = new Map();
      quietUntil.set(cluster, until);
    }
    const nowMs = clock.nowMs();
    if (nowMs < (until.get(limit) ?? 0)) return;
    until.set(limit, nowMs + QUIET_MS);
    log.warn('A circuit breaker refuses.', { service: cluster.serviceName, port: cluster.port, limit, max });
  };
};
