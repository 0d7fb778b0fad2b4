/** `TrafficPolicy`: how a Service is treated: load balancing, limits, time, retries, ejection, TLS, health checks. */

import { parseDuration } from '../common/duration.ts';
import { checkHealthCheck, HEALTH_CHECK_SCHEMA, type HealthCheckSpec } from './health-check.ts';
import type { ApiObject } from './object.ts';
import { isPemCertificates } from './pem-certificates.ts';
import type { Cause, ResourceKind } from './resource-kind.ts';
import { choice, duration, flag, integer, list, object, required, subdomain, text } from './schema.ts';
import { DEFAULT_POLICY } from './snapshot.ts';

export interface TrafficPolicy extends ApiObject {
  readonly apiVersion: 'outrider.mesh/v1';
  readonly kind: 'TrafficPolicy';
  readonly spec: TrafficPolicySpec;
}

/** Every absent field is as the next wider policy says (port, Service, namespace, mesh), finally as `DEFAULT_POLICY`. */
export interface TrafficPolicySpec {
  /** Services in the policy's namespace; absent: all of the namespace, in `outrider-system` of the mesh. */
  readonly targetRefs?: readonly PolicyTarget[];
  readonly loadBalancer?: { readonly policy: LoadBalancerPolicy };
  readonly timeouts?: {
    /** TCP and TLS together. */
    readonly connect?: string;
    /** The whole exchange with all attempts; `0s`: none. A route's own wins. */
    readonly request?: string;
    /** Without a byte in either direction; `0s`: none. */
    readonly idle?: string;
  };
  readonly circuitBreaker?: {
    readonly maxConnections?: number;
    readonly maxPendingRequests?: number;
    readonly maxRequests?: number;
    readonly maxRetries?: number;
  };
  readonly outlierDetection?: {
    /** False: off. */
    readonly enabled?: boolean;
    readonly consecutiveFailures?: number;
    readonly baseEjection?: string;
    readonly maxEjection?: string;
    /** 0–100. */
    readonly maxEjectionPercent?: number;
    /** 0–100. */
    readonly panicThresholdPercent?: number;
  };
  /** For routes without a retry of their own. */
  readonly retry?: TrafficPolicyRetry;
  readonly retryBudget?: {
    /** 0–100, of the requests of the last `window`. */
    readonly percent?: number;
    readonly minRetries?: number;
    readonly window?: string;
  };
  readonly thrift?: {
    /** Whether the calls of one client connection may be under way at once. */
    readonly pipelining?: 'Ordered' | 'Parallel';
  };
  /** To instances without a sidecar. Present: TLS, unless `enabled` is false. */
  readonly tls?: {
    readonly enabled?: boolean;
    /** Default: the host that is dialled. */
    readonly hostname?: string;
    /** PEM. Default: the public authorities. */
    readonly caCertificates?: string;
  };
  /** Of the app, by the sidecar beside it. */
  readonly healthCheck?: HealthCheckSpec;
}

export interface TrafficPolicyRetry {
  /** Attempts after the first; 0: never. */
  readonly attempts?: number;
  /** HTTP statuses. */
  readonly codes?: readonly number[];
  readonly backoff?: string;
  readonly on?: readonly RetryCondition[];
}

export interface PolicyTarget {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** A port of the Service, by name. */
  readonly sectionName?: string;
}

export const LOAD_BALANCER_POLICIES = ['PeakEwma', 'LeastRequest', 'RoundRobin', 'Random'] as const;
export type LoadBalancerPolicy = (typeof LOAD_BALANCER_POLICIES)[number];

/** Envoy's retry_on names, and gRPC codes in lower case. */
export const RETRY_CONDITIONS = [
  'connect-failure',
  'refused-stream',
  'reset',
  'gateway-error',
  '5xx',
  'retriable-4xx',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
] as const;
export type RetryCondition = (typeof RETRY_CONDITIONS)[number];

const { circuitBreaker: breaker, outlierDetection: outlier, retryBudget: budget } = DEFAULT_POLICY;

const count = (description: string, value: number) =>
  integer(description, 0, 2_147_483_647, { 'x-outrider-default': String(value) });

const percent = (description: string, value: string) => integer(description, 0, 100, { 'x-outrider-default': value });

export const TRAFFIC_POLICY: ResourceKind<TrafficPolicy> = {
  group: 'outrider.mesh',
  version: 'v1',
  kind: 'TrafficPolicy',
  plural: 'trafficpolicies',
  singular: 'trafficpolicy',
  shortNames: ['tp'],
  namespaced: true,
  writable: true,
  description:
    'How a Service is treated. Without `targetRefs` it holds for the namespace, in `outrider-system` for the mesh; field by field the narrower one wins.',
  schema: {
    spec: object(
      'Absent fields are as the next wider policy says, finally the defaults below.',
      {
        targetRefs: list(
          'The Services that are meant, in the namespace of the policy.',
          object('A Service.', {
            group: text('`""`: the core group.', { enum: [''], default: '' }),
            kind: choice('`Service`.', ['Service'], { default: 'Service' }),
            name: required(subdomain('Its name.')),
            sectionName: subdomain('One of its ports, by name.', { 'x-outrider-default': 'all ports' }),
          }),
          {
            minItems: 1,
            maxItems: 16,
            'x-outrider-default': 'all of the namespace; in `outrider-system` all of the mesh',
          },
        ),
        loadBalancer: object('How an instance is chosen.', {
          policy: required(
            choice(
              '`PeakEwma`: the better of two by latency and load. `LeastRequest`: by load. `RoundRobin` and `Random`: by weight alone.',
              LOAD_BALANCER_POLICIES,
              { 'x-outrider-default': 'PeakEwma' },
            ),
          ),
        }),
        timeouts: object('Time limits.', {
          connect: duration('TCP and TLS together, at least `1ms`.', { 'x-outrider-default': '5s' }),
          request: duration("The whole exchange with all attempts. `0s`: none. A route's own wins.", {
            'x-outrider-default': '0s',
          }),
          idle: duration(
            'A request, stream or TCP connection without a byte in either direction for so long is ended, at most a quarter later. `0s`: never.',
            { 'x-outrider-default': '1h' },
          ),
        }),
        circuitBreaker: object(
          'Limits for each port of the Service and each calling sidecar. More is refused at once.',
          {
            maxConnections: count('Connections. For raw TCP, those of the callers.', breaker.maxConnections),
            maxPendingRequests: count('Requests that wait for a connection.', breaker.maxPendingRequests),
            maxRequests: count('Requests in flight.', breaker.maxRequests),
            maxRetries: count('Retries in flight.', breaker.maxRetries),
          },
        ),
        outlierDetection: object('Instances that keep failing get no requests for a while.', {
          enabled: flag('`false`: off.', { 'x-outrider-default': 'true' }),
          consecutiveFailures: integer('So many failures in a row eject.', 1, 1_000_000, {
            'x-outrider-default': String(outlier?.consecutiveFailures),
          }),
          baseEjection: duration('Length of the first ejection; each further one adds as much.', {
            'x-outrider-default': '5s',
          }),
          maxEjection: duration('Longest ejection.', { 'x-outrider-default': '5m' }),
          maxEjectionPercent: percent('At most so many percent of the instances.', String(outlier?.maxEjectionPercent)),
          panicThresholdPercent: percent(
            'Below so many percent of healthy instances, ejection is ignored.',
            String(outlier?.panicThresholdPercent),
          ),
        }),
        retry: object('For routes without a `retry` of their own.', {
          attempts: integer('Attempts after the first. 0: never.', 0, 100),
          codes: list('HTTP statuses that are repeated.', integer('A status.', 400, 599), {
            maxItems: 64,
            'x-kubernetes-list-type': 'set',
          }),
          backoff: duration('First pause; doubled each time, with jitter.'),
          on: list('What is repeated beside `codes`.', choice("Envoy's names, or a gRPC code.", RETRY_CONDITIONS), {
            maxItems: 16,
            'x-kubernetes-list-type': 'set',
          }),
        }),
        retryBudget: object('Retries together stay below this, so that they cannot multiply an overload.', {
          percent: percent('Of the requests of the last `window`.', String(budget.ratio * 100)),
          minRetries: count('And at least so many in it.', budget.minRetries),
          window: duration('How far back requests count, at least `1s`.', { 'x-outrider-default': '10s' }),
        }),
        thrift: object('For ports of Apache Thrift.', {
          pipelining: choice(
            '`Ordered`: the next call of a client connection leaves when the one before was answered. `Parallel`: up to 100 are under way at once, and replies come as they are ready; for clients that tell replies by their sequence ids.',
            ['Ordered', 'Parallel'],
            { 'x-outrider-default': 'Ordered' },
          ),
        }),
        tls: object(
          'TLS to instances without a sidecar, such as an `ExternalName`: `{}` is enough for one with a certificate of a public authority. HTTP/2 is used where the server offers it. Peers in the mesh have mTLS anyway.',
          {
            enabled: flag('`false`: plain text, also where a wider policy says otherwise.', {
              'x-outrider-default': 'true',
            }),
            hostname: subdomain(
              'The name that the certificate of the server must have, and by which the server is asked for it (SNI).',
              { 'x-outrider-default': 'the host that is dialled: the `externalName`, or the address of the Workload' },
            ),
            caCertificates: text('The authorities that are trusted, in PEM.', {
              'x-outrider-default': 'the public ones that Node.js brings, and those of `NODE_EXTRA_CA_CERTS`',
              maxLength: 65_536,
            }),
          },
        ),
        healthCheck: HEALTH_CHECK_SCHEMA,
      },
      { default: {} },
    ),
  },
  required: [],
  columns: [
    {
      name: 'Targets',
      description: 'spec.targetRefs',
      priority: 0,
      cell: ({ spec }) => spec.targetRefs?.map(target => target.name).join(',') ?? '*',
    },
  ],
  check: ({ metadata, spec }) => {
    const causes: Cause[] = [...checkHealthCheck(spec.healthCheck, 'spec.healthCheck')];
    const connect = parseDuration(spec.timeouts?.connect ?? '5s');
    const window = parseDuration(spec.retryBudget?.window ?? '10s');
    const base = parseDuration(spec.outlierDetection?.baseEjection ?? '0s');
    const max = parseDuration(spec.outlierDetection?.maxEjection ?? '');
    if (connect === 0)
      causes.push({ field: 'spec.timeouts.connect', message: 'must be at least 1ms', reason: 'FieldValueInvalid' });
    if (window !== undefined && window < 1_000)
      causes.push({ field: 'spec.retryBudget.window', message: 'must be at least 1s', reason: 'FieldValueInvalid' });
    if (base !== undefined && max !== undefined && base > max)
      causes.push({
        field: 'spec.outlierDetection.maxEjection',
        message: 'must be at least baseEjection',
        reason: 'FieldValueInvalid',
      });
    if (spec.tls?.caCertificates !== undefined && !isPemCertificates(spec.tls.caCertificates))
      causes.push({
        field: 'spec.tls.caCertificates',
        message: 'must be certificates of authorities in PEM, and nothing else',
        reason: 'FieldValueInvalid',
      });
    if (metadata.namespace === 'outrider-system' && spec.targetRefs !== undefined)
      causes.push({
        field: 'spec.targetRefs',
        message: 'must be absent in outrider-system, where a policy holds for the whole mesh',
        reason: 'FieldValueForbidden',
      });
    return causes;
  },
};
