import type { OutlierDetectionView } from '../../../api/snapshot.ts';
import type { Clock } from '../../../common/clock.ts';
import type { Logger } from '../../../common/logger.ts';
import type { Random } from '../../../common/random.ts';
import type { Cluster } from '../../upstream/cluster.ts';
import type { Endpoint } from '../../upstream/endpoint.ts';
import { type AttemptOutcome, describeFailure, type Judgement, judgeAttempt } from '../judge-attempt.ts';
import { maxEjected } from './ejection.ts';

export interface OutlierDetectorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Every cluster that has this instance chooses anew. */
  readonly onChange: (endpoint: Endpoint) => void;
}

/**
 * Leaves out instances that fail again and again, and lets them back when one real request shows that they work. On for every service by
 * default. Owned by the proxy. Those of several workers know the same of an instance; who changes its state sets its timers.
 * Envoy: outlier_detection; the probe is the half-open state of a circuit breaker.
 *
 * States of an endpoint: healthy → (failures in a row) → ejected → (time is up) → probing → (the probe's outcome) → healthy or ejected.
 * An instance that answered with a failure gets the next request too, one at a time, until one succeeds or too many have failed: balancers that
 * shun it would otherwise leave it neither trusted nor ejected for a long time. One that can't be reached is only shunned: each try would cost a
 * retry of the budget.
 */
export class OutlierDetector {
  private readonly options: OutlierDetectorOptions;

  constructor(options: OutlierDetectorOptions) {
    this.options = options;
  }

  /** Takes how an attempt at this instance ended. */
  report(cluster: Cluster, endpoint: Endpoint, outcome: AttemptOutcome): void {
    const judgement = judgeAttempt(outcome);
    const view = cluster.policy.outlierDetection;
    if (view === null) return endpoint.failures.reset();
    if (endpoint.health === 'probing') return this.probed(cluster, endpoint, outcome, judgement, view);
    if (judgement === 'success' && endpoint.failures.count === 0) return;
    const tooMany = endpoint.failures.add(judgement, view.consecutiveFailures);
    if (endpoint.health !== 'healthy') return;
    if (endpoint.failures.count === 0) cluster.noProbe(endpoint);
    else if (!tooMany && wasReached(outcome)) cluster.probe(endpoint);
    else if (tooMany && mayEject(cluster, view)) this.eject(cluster, endpoint, describeFailure(outcome), view);
  }

  private eject(cluster: Cluster, endpoint: Endpoint, cause: string, view: OutlierDetectionView): void {
    const { clock, random, log, onChange } = this.options;
    // Another worker may have come first.
    if (!endpoint.changeHealth(endpoint.health === 'probing' ? 'probing' : 'healthy', 'ejected')) return;
    const lengthMs = endpoint.ejection.next(view, clock.nowMs(), random);
    const { turn } = endpoint;
    cluster.noProbe(endpoint);
    log.warn('An endpoint was ejected.', {
      ...labels(cluster, endpoint),
      cause,
      consecutive_failures: endpoint.failures.count,
      for_ms: Math.round(lengthMs),
    });
    clock.setTimer(lengthMs, () => {
      if (endpoint.turn === turn) this.probe(cluster, endpoint);
    });
    onChange(endpoint);
  }

  /** The time is up: the next request goes there, and decides. */
  private probe(cluster: Cluster, endpoint: Endpoint): void {
    if (!cluster.endpoints.includes(endpoint) || endpoint.health === 'healthy') return;
    const view = cluster.policy.outlierDetection;
    if (view === null) return this.restore(cluster, endpoint, 'outlier detection was turned off');
    const { clock, log } = this.options;
    if (endpoint.changeHealth('ejected', 'probing'))
      log.info('An endpoint is probed.', { ...labels(cluster, endpoint), cause: 'its ejection has ended' });
    cluster.probe(endpoint);
    const { turn } = endpoint;
    // A probe that becomes a long stream, or that nobody sends, must not keep the instance out.
    endpoint.probeTimer?.cancel();
    endpoint.probeTimer = clock.setTimer(Math.max(1_000, view.baseEjectionMs), () => {
      if (endpoint.turn === turn) this.probe(cluster, endpoint);
    });
  }

  private probed(
    cluster: Cluster,
    endpoint: Endpoint,
    outcome: AttemptOutcome,
    judgement: Judgement,
    view: OutlierDetectionView,
  ): void {
    if (judgement === 'neutral') {
      cluster.probe(endpoint);
      return;
    }
    endpoint.probeTimer?.cancel();
    cluster.noProbe(endpoint);
    endpoint.failures.add(judgement, 0);
    if (judgement === 'failure') this.eject(cluster, endpoint, `the probe failed: ${describeFailure(outcome)}`, view);
    else this.restore(cluster, endpoint, 'the probe succeeded');
  }

  private restore(cluster: Cluster, endpoint: Endpoint, cause: string): void {
    const { clock, log, onChange } = this.options;
    const { health } = endpoint;
    if (health === 'healthy' || !endpoint.changeHealth(health, 'healthy')) return;
    endpoint.failures.reset();
    endpoint.ejection.end(clock.nowMs());
    endpoint.probeTimer?.cancel();
    log.info('An endpoint is back.', { ...labels(cluster, endpoint), cause });
    onChange(endpoint);
  }
}

const wasReached = ({ error, peerFlag }: AttemptOutcome): boolean => error?.retry !== 'not-sent' && peerFlag !== 'UF';

const mayEject = (cluster: Cluster, view: OutlierDetectionView): boolean => {
  let instances = 0;
  let ejected = 0;
  for (const { weight, health } of cluster.endpoints) {
    if (weight === 0) continue;
    instances++;
    if (health !== 'healthy') ejected++;
  }
  return ejected < maxEjected(instances, view.maxEjectionPercent);
};

const labels = (cluster: Cluster, endpoint: Endpoint) => ({
  service: cluster.serviceName,
  port: cluster.port,
  endpoint: endpoint.address,
});
