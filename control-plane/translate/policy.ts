/** TrafficPolicies, merged field by field: mesh, then namespace, then Service, then port; the narrower one wins. */

import { SYSTEM_NAMESPACE } from '../../api/namespace.ts';
import type { Stored } from '../../api/object.ts';
import { DEFAULT_POLICY, type PolicyView, type RetryView } from '../../api/snapshot.ts';
import type { LoadBalancerPolicy, TrafficPolicy, TrafficPolicySpec } from '../../api/traffic-policy.ts';
import { parseDuration } from '../../common/duration.ts';
import { byAge } from './service-definition.ts';
import type { World } from './world.ts';

export interface MergedPolicy {
  readonly view: PolicyView;
  /** For routes without a retry of their own; null: the mesh's default retries. */
  readonly retry: RetryView | null;
}

/** What is retried when only a number of attempts is given: what certainly was not processed. */
export const DEFAULT_RETRY: RetryView = {
  attempts: 1,
  codes: [],
  backoffMs: 25,
  on: ['connect-failure', 'refused-stream'],
};

const LOAD_BALANCERS: Readonly<Record<LoadBalancerPolicy, PolicyView['loadBalancer']>> = {
  PeakEwma: 'peakEwma',
  LeastRequest: 'leastRequest',
  RoundRobin: 'roundRobin',
  Random: 'random',
};

export const compilePolicy = (world: World, namespace: string, service: string, portName: string): MergedPolicy => {
  let merged: MergedPolicy = { view: DEFAULT_POLICY, retry: null };
  for (const { spec } of policiesFor(world, namespace, service, portName)) merged = override(merged, spec);
  return merged;
};

/** From the widest to the narrowest; among equals the younger first, so that the older one has the last word. */
export const policiesFor = (
  world: World,
  namespace: string,
  service: string,
  portName: string,
): readonly Stored<TrafficPolicy>[] => {
  const own = [...world.policiesIn(namespace)].sort(byAge).reverse();
  const named = (port: string | undefined) =>
    own.filter(({ spec }) => spec.targetRefs?.some(target => target.name === service && target.sectionName === port));
  return [
    ...[...world.policiesIn(SYSTEM_NAMESPACE)].sort(byAge).reverse(),
    ...(namespace === SYSTEM_NAMESPACE ? [] : own.filter(({ spec }) => spec.targetRefs === undefined)),
    ...named(undefined),
    ...(portName === '' ? [] : named(portName)),
  ];
};

const override = ({ view, retry }: MergedPolicy, spec: TrafficPolicySpec): MergedPolicy => ({
  view: {
    loadBalancer: spec.loadBalancer ? LOAD_BALANCERS[spec.loadBalancer.policy] : view.loadBalancer,
    connectTimeoutMs: ms(spec.timeouts?.connect, view.connectTimeoutMs),
    requestTimeoutMs: ms(spec.timeouts?.request, view.requestTimeoutMs),
    idleTimeoutMs: ms(spec.timeouts?.idle, view.idleTimeoutMs),
    circuitBreaker: { ...view.circuitBreaker, ...spec.circuitBreaker },
    outlierDetection: overrideOutlierDetection(view.outlierDetection, spec.outlierDetection),
    retryBudget: {
      ratio: spec.retryBudget?.percent === undefined ? view.retryBudget.ratio : spec.retryBudget.percent / 100,
      minRetries: spec.retryBudget?.minRetries ?? view.retryBudget.minRetries,
      windowMs: ms(spec.retryBudget?.window, view.retryBudget.windowMs),
    },
    ...overridePipelining(view, spec),
    ...overrideTls(view, spec),
  },
  retry: overrideRetry(retry, spec.retry),
});

const overridePipelining = (
  { thriftPipelining }: PolicyView,
  { thrift }: TrafficPolicySpec,
): Pick<PolicyView, 'thriftPipelining'> => {
  if (thrift?.pipelining !== undefined)
    return { thriftPipelining: thrift.pipelining === 'Parallel' ? 'parallel' : 'ordered' };
  return thriftPipelining === undefined ? {} : { thriftPipelining };
};

const overrideTls = ({ tls: wider }: PolicyView, { tls }: TrafficPolicySpec): Pick<PolicyView, 'tls'> => {
  if (tls === undefined) return wider === undefined ? {} : { tls: wider };
  // Left out, since the view that this is spread over has none yet.
  if (tls.enabled === false) return {};
  return {
    tls: {
      hostname: tls.hostname ?? wider?.hostname ?? '',
      caCertificates: tls.caCertificates ?? wider?.caCertificates ?? '',
    },
  };
};

const overrideOutlierDetection = (
  wider: PolicyView['outlierDetection'],
  spec: TrafficPolicySpec['outlierDetection'],
): PolicyView['outlierDetection'] => {
  if (spec === undefined) return wider;
  if (spec.enabled === false) return null;
  // A narrower policy that sets a field means to have it, also where a wider one turned it off.
  const base = wider ?? DEFAULT_POLICY.outlierDetection;
  if (base === null) return null;
  return {
    consecutiveFailures: spec.consecutiveFailures ?? base.consecutiveFailures,
    baseEjectionMs: ms(spec.baseEjection, base.baseEjectionMs),
    maxEjectionMs: ms(spec.maxEjection, base.maxEjectionMs),
    maxEjectionPercent: spec.maxEjectionPercent ?? base.maxEjectionPercent,
    panicThresholdPercent: spec.panicThresholdPercent ?? base.panicThresholdPercent,
  };
};

const overrideRetry = (wider: RetryView | null, spec: TrafficPolicySpec['retry']): RetryView | null => {
  if (spec === undefined) return wider;
  const base = wider ?? DEFAULT_RETRY;
  return {
    attempts: spec.attempts ?? base.attempts,
    codes: spec.codes ?? base.codes,
    backoffMs: ms(spec.backoff, base.backoffMs),
    on: spec.on ?? base.on,
  };
};

/** A duration of the API; `otherwise` when it is absent. */
export const ms = (duration: string | undefined, otherwise: number): number =>
  (duration === undefined ? undefined : parseDuration(duration)) ?? otherwise;
