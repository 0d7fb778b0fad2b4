/** Active health checks of an app, as a `TrafficPolicy` declares them. Kubernetes: readinessProbe; Consul: checks; Envoy: health_checks. */

import { parseDuration } from '../common/duration.ts';
import type { Cause } from './resource-kind.ts';
import { headerValues } from './route-parts.ts';
import { duration, flag, integer, list, object, port, required, text } from './schema.ts';
import { DEFAULT_HEALTH_CHECK } from './snapshot.ts';

/** At most one of `http`, `grpc` and `tcp`; none in this policy nor in a wider one: nothing is checked. */
export interface HealthCheckSpec {
  /** False: off, also where a wider policy declares a check. */
  readonly enabled?: boolean;
  /** Port of the app, where it is not the one that gets the traffic. */
  readonly port?: number;
  readonly http?: HttpCheckSpec;
  readonly grpc?: { readonly service?: string };
  readonly tcp?: object;
  readonly interval?: string;
  readonly timeout?: string;
  readonly healthyThreshold?: number;
  readonly unhealthyThreshold?: number;
}

export interface HttpCheckSpec {
  readonly path: string;
  readonly host?: string;
  readonly headers?: readonly { readonly name: string; readonly value: string }[];
  /** `204`, or `"200-299"`. */
  readonly expectedStatuses?: readonly (number | string)[];
}

/** Shorter pauses would be load. */
const MIN_INTERVAL_MS = 100;
/** Visible characters of ASCII: what may stand in a request line and in a Host. */
const VISIBLE = '[\\u0021-\\u007e]';

const threshold = (description: string, value: number) =>
  integer(description, 1, 100, { 'x-outrider-default': String(value) });

export const HEALTH_CHECK_SCHEMA = object(
  'How the sidecar beside the app finds out whether it can serve. An instance whose app fails gets no traffic. At most one of `http`, `grpc` and `tcp`; without one nothing is checked.',
  {
    enabled: flag('`false`: off, also where a wider policy declares a check.', { 'x-outrider-default': 'true' }),
    port: port('Port of the app that is checked.', {
      'x-outrider-default': 'the port of the app that gets the traffic',
    }),
    http: object('Healthy is who answers a GET. Over HTTP/2 where the port speaks that.', {
      path: required(
        text('Path, with a query if need be.', {
          maxLength: 2_048,
          pattern: `^/${VISIBLE}*$`,
          'x-outrider-expects': 'a path that begins with "/", without spaces and control characters',
        }),
      ),
      host: text('`Host`.', {
        maxLength: 255,
        minLength: 1,
        pattern: `^${VISIBLE}+$`,
        'x-outrider-expects': 'a host name, with a port if need be',
        'x-outrider-default': 'address and port of the app',
      }),
      headers: headerValues('Headers of the request.'),
      expectedStatuses: list(
        'Statuses of a healthy app.',
        {
          description: 'A status, or two with `-` between them.',
          'x-kubernetes-int-or-string': true,
          'x-outrider-expects': 'a status such as 204, or a range such as "200-299"',
        },
        { minItems: 1, maxItems: 16, 'x-outrider-default': '200-299' },
      ),
    }),
    grpc: object(
      "Healthy is who answers `grpc.health.v1.Health/Check` with SERVING (gRPC's health checking protocol).",
      {
        service: text('The service that is asked for.', {
          maxLength: 255,
          'x-outrider-default': 'the server as a whole',
        }),
      },
    ),
    tcp: object('Healthy is who accepts a connection.', {}),
    interval: duration(
      `Pause between two checks, ± 10 %, at least \`${MIN_INTERVAL_MS}ms\`. An app that fails is asked at least every 500 ms.`,
      { 'x-outrider-default': '1s' },
    ),
    timeout: duration('A check that takes longer has failed, at least `1ms`.', { 'x-outrider-default': '1s' }),
    healthyThreshold: threshold('So many successes in a row give traffic back.', DEFAULT_HEALTH_CHECK.healthyThreshold),
    unhealthyThreshold: threshold(
      'So many failures in a row take traffic away.',
      DEFAULT_HEALTH_CHECK.unhealthyThreshold,
    ),
  },
);

/** The first and the last status that is meant; undefined: it is neither a status nor a range of them. */
export const parseStatuses = (statuses: number | string): readonly [from: number, to: number] | undefined => {
  const [, first, last = first] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(statuses)) ?? [];
  if (first === undefined) return undefined;
  const range = [Number(first), Number(last)] as const;
  return range[0] <= range[1] ? range : undefined;
};

/** What the schema cannot say. `field`: where the check stands. */
export const checkHealthCheck = (spec: HealthCheckSpec | undefined, field: string): readonly Cause[] => {
  if (spec === undefined) return [];
  const causes: Cause[] = [];
  const kinds = (['http', 'grpc', 'tcp'] as const).filter(kind => spec[kind] !== undefined);
  for (const kind of kinds.slice(1))
    causes.push({
      field: `${field}.${kind}`,
      message: `must be absent, because ${kinds[0]} is there: one check has one kind`,
      reason: 'FieldValueForbidden',
    });
  for (const [i, statuses] of (spec.http?.expectedStatuses ?? []).entries())
    if (parseStatuses(statuses) === undefined)
      causes.push({
        field: `${field}.http.expectedStatuses[${i}]`,
        message: `must be a status such as 204, or a range such as "200-299", not ${JSON.stringify(statuses)}`,
        reason: 'FieldValueInvalid',
      });
  if ((parseDuration(spec.interval ?? '') ?? MIN_INTERVAL_MS) < MIN_INTERVAL_MS)
    causes.push({
      field: `${field}.interval`,
      message: `must be at least ${MIN_INTERVAL_MS}ms`,
      reason: 'FieldValueInvalid',
    });
  if (parseDuration(spec.timeout ?? '') === 0)
    causes.push({ field: `${field}.timeout`, message: 'must be at least 1ms', reason: 'FieldValueInvalid' });
  return causes;
};
