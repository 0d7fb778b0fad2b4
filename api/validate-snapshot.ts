import { compilePattern } from './pattern.ts';
import { isPemCertificates } from './pem-certificates.ts';
import {
  APP_PROTOCOLS,
  type BackendView,
  MTLS_MODES,
  PATH_NORMALIZATIONS,
  type ServiceView,
  SNAPSHOT_FORMAT,
  type Snapshot,
} from './snapshot.ts';

/** The first thing that is wrong with a snapshot. */
export interface SnapshotProblem {
  /** `services[0].ports[1].policy.connectTimeoutMs` */
  readonly path: string;
  readonly reason: string;
}

/** Checks one value; a sentence that says what would be right, or a problem further down. */
type Check = (value: unknown, path: string) => SnapshotProblem | undefined;

const expected = (path: string, what: string): SnapshotProblem => ({ path, reason: `must be ${what}` });
const when =
  (holds: (value: unknown) => boolean, what: string): Check =>
  (value, path) =>
    holds(value) ? undefined : expected(path, what);

const text = when(value => typeof value === 'string' && value.length <= 65_536, 'a text');
const name = when(
  value => typeof value === 'string' && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value),
  'a DNS name',
);
const integer = (min: number, max: number, what: string): Check =>
  when(value => Number.isInteger(value) && (value as number) >= min && (value as number) <= max, what);
const port = integer(1, 65_535, 'a port, 1 to 65535');
const durationMs = integer(0, Number.MAX_SAFE_INTEGER, 'whole milliseconds, 0 or more');
const count = integer(0, 2 ** 31 - 1, 'a whole number, 0 or more');
const flag = when(value => typeof value === 'boolean', 'true or false');
const percent = integer(0, 100, 'a whole number from 0 to 100');
const weight = when(value => typeof value === 'number' && value >= 0 && value <= 1e6, 'a number from 0 to 1000000');
const ratio = when(value => typeof value === 'number' && value >= 0 && value <= 1, 'a number from 0 to 1');
const positiveMs = integer(1, Number.MAX_SAFE_INTEGER, 'whole milliseconds, 1 or more');
const address = when(value => {
  const [, digits] =
    typeof value === 'string' ? (/^(?:\[[0-9A-Fa-f:.]+\]|[^:[\]\s]+):([0-9]{1,5})$/.exec(value) ?? []) : [];
  return digits !== undefined && Number(digits) >= 1 && Number(digits) <= 65_535;
}, 'host:port');
const authority = when(
  value => typeof value === 'string' && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?(?::[0-9]{1,5})?$/.test(value),
  'a DNS name, perhaps with a port',
);
const spiffeId = when(
  value => typeof value === 'string' && /^spiffe:\/\/[a-z0-9._-]+\/\S+$/.test(value),
  'a SPIFFE id, or null',
);
const oneOf = (choices: readonly (string | number)[]): Check =>
  when(value => choices.includes(value as string), `one of ${choices.join(', ')}`);
const fieldName = when(
  value => typeof value === 'string' && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/.test(value),
  'a field name',
);
const fieldValue = when(
  value => typeof value === 'string' && value.length <= 8_192 && !/[^\t\x20-\x7e\x80-\u{10ffff}]/u.test(value),
  'a field value without control characters',
);
const status = integer(100, 599, 'an HTTP status');

const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? undefined : check(value, path);

const listOf =
  (check: Check, max = 100_000): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return expected(path, 'a list');
    if (value.length > max) return expected(path, `a list of at most ${max}`);
    for (let at = 0; at < value.length; at++) {
      const problem = check(value[at], `${path}[${at}]`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mapOf =
  (check: Check, key: RegExp): Check =>
  (value, path) => {
    if (!isObject(value)) return expected(path, 'an object');
    for (const [member, item] of Object.entries(value)) {
      if (!key.test(member)) return expected(`${path}.${member}`, `a key like ${key.source}`);
      const problem = check(item, `${path}.${member}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };

/** Members as listed; those that are `optional` may be missing. A release may add members: unknown ones are fine. */
const shape =
  (members: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check =>
  (value, path) => {
    if (!isObject(value)) return expected(path, 'an object');
    const at = (member: string): string => (path === '' ? member : `${path}.${member}`);
    for (const [member, check] of Object.entries(members)) {
      if (!Object.hasOwn(value, member)) return { path: at(member), reason: 'is missing' };
      const problem = check(value[member], at(member));
      if (problem !== undefined) return problem;
    }
    for (const [member, check] of Object.entries(optional)) {
      const problem = value[member] === undefined ? undefined : check(value[member], at(member));
      if (problem !== undefined) return problem;
    }
    return undefined;
  };

const policy = shape(
  {
    loadBalancer: oneOf(['peakEwma', 'leastRequest', 'roundRobin', 'random']),
    connectTimeoutMs: positiveMs,
    requestTimeoutMs: durationMs,
    idleTimeoutMs: durationMs,
    circuitBreaker: shape({ maxConnections: count, maxPendingRequests: count, maxRequests: count, maxRetries: count }),
    outlierDetection: orNull(
      shape({
        consecutiveFailures: integer(1, 2 ** 31 - 1, 'a whole number, 1 or more'),
        baseEjectionMs: durationMs,
        maxEjectionMs: durationMs,
        maxEjectionPercent: percent,
        panicThresholdPercent: percent,
      }),
    ),
    retryBudget: shape({
      ratio,
      minRetries: count,
      windowMs: integer(100, Number.MAX_SAFE_INTEGER, 'whole milliseconds, 100 or more'),
    }),
  },
  {
    thriftPipelining: oneOf(['ordered', 'parallel']),
    tls: shape({
      hostname: text,
      caCertificates: when(
        value => value === '' || (typeof value === 'string' && isPemCertificates(value)),
        'certificates in PEM, or empty',
      ),
    }),
  },
);

/** A value, or a pattern that compiles. */
const pattern = (kind: Check): Check => {
  const parts = shape({ type: kind, value: text });
  return (value, path) => {
    const problem = parts(value, path);
    if (problem !== undefined) return problem;
    const { type, value: source } = value as { type: string; value: string };
    if (type !== 'RegularExpression') return undefined;
    const compiled = compilePattern(source);
    return typeof compiled === 'string' ? expected(`${path}.value`, `a regular expression: ${compiled}`) : undefined;
  };
};

const both =
  (first: Check, second: Check): Check =>
  (value, path) =>
    first(value, path) ?? second(value, path);

/** A value whose shape one of its members tells. */
const oneKind =
  (member: string, kinds: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    const kind = isObject(value) ? value[member] : undefined;
    const check = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    return check === undefined
      ? expected(`${path}.${member}`, `one of ${Object.keys(kinds).join(', ')}`)
      : check(value, path);
  };

const valueMatch = both(shape({ name: fieldName }), pattern(oneOf(['Exact', 'RegularExpression'])));
const MATCH_PARTS = {
  path: pattern(oneOf(['Exact', 'PathPrefix', 'RegularExpression'])),
  method: fieldName,
  rpcMethod: pattern(oneOf(['Exact', 'RegularExpression'])),
  headers: listOf(valueMatch, 64),
  query: listOf(valueMatch, 64),
};
/** Of all parts only here an unknown one is refused: to overlook a condition would be to match too much. */
const onlyMatchParts: Check = (value, path) => {
  const unknown = Object.keys(value as object).find(member => !Object.hasOwn(MATCH_PARTS, member));
  return unknown === undefined
    ? undefined
    : { path: `${path}.${unknown}`, reason: 'is a condition that this release does not know' };
};
const match = both(shape({}, MATCH_PARTS), onlyMatchParts);
const nameValues = listOf(shape({ name: fieldName, value: fieldValue }), 64);
const pathModifier = shape({ type: oneOf(['ReplaceFullPath', 'ReplacePrefixMatch']), value: fieldValue });
const headerModifier = shape({ set: nameValues, add: nameValues, remove: listOf(fieldName, 64) });
const FILTERS: Readonly<Record<string, Check>> = {
  RequestHeaderModifier: headerModifier,
  ResponseHeaderModifier: headerModifier,
  RequestRedirect: shape(
    { statusCode: oneOf([301, 302, 303, 307, 308]) },
    { scheme: oneOf(['http', 'https']), hostname: name, port, path: pathModifier },
  ),
  URLRewrite: shape({}, { hostname: name, path: pathModifier }),
};
const filter = oneKind('type', FILTERS);
const retry = shape({
  attempts: integer(0, 100, 'a whole number from 0 to 100'),
  codes: listOf(status, 64),
  backoffMs: durationMs,
  on: listOf(text, 64),
});
/** Port 0: none was named; only where the reference does not resolve. */
const backend = shape({
  service: orNull(name),
  port: integer(0, 65_535, 'a port, or 0'),
  weight,
  filters: listOf(filter, 64),
});
const fault = shape({ delayMs: durationMs, delayPercent: percent, abortPercent: percent });
const mirror = shape({ service: name, port, percent });
const route = shape(
  {
    name: text,
    matches: listOf(match, 1_024),
    filters: listOf(filter, 64),
    backends: listOf(backend, 1_024),
    requestTimeoutMs: orNull(durationMs),
    attemptTimeoutMs: durationMs,
    retry: orNull(retry),
  },
  { fault, mirror, oneway: flag },
);
const service = shape({
  name,
  namespace: name,
  addresses: listOf(text, 64),
  ports: listOf(
    shape(
      { port, name: text, protocol: oneOf(APP_PROTOCOLS), routes: listOf(route, 4_096), policy },
      { authority, assumed: flag },
    ),
    1_024,
  ),
  endpoints: listOf(
    shape({
      address,
      identity: orNull(spiffeId),
      ports: mapOf(port, /^[0-9]{1,5}$/),
      weight,
      workload: text,
      labels: mapOf(text, /^.{1,512}$/),
      locality: text,
    }),
  ),
});
const PROBES: Readonly<Record<string, Check>> = {
  http: shape({
    path: when(value => typeof value === 'string' && /^\/[\x21-\x7e]*$/.test(value), 'a path'),
    authority: when(value => typeof value === 'string' && /^[\x21-\x7e]*$/.test(value), 'a host, or empty'),
    headers: nameValues,
    statuses: listOf(
      when(
        value => Array.isArray(value) && value.length === 2 && value.every(Number.isInteger),
        'the first and the last status of a range',
      ),
      64,
    ),
    http2: flag,
  }),
  grpc: shape({ service: text }),
  tcp: shape({}),
};
const threshold = integer(1, 2 ** 31 - 1, 'a whole number, 1 or more');
const healthCheck = shape({
  port,
  probe: oneKind('kind', PROBES),
  intervalMs: positiveMs,
  timeoutMs: positiveMs,
  healthyThreshold: threshold,
  unhealthyThreshold: threshold,
});
const mtlsMode = oneOf(MTLS_MODES);
const mtls = shape({ mode: mtlsMode, ports: mapOf(mtlsMode, /^[0-9]{1,5}$/) });
const snapshot = shape(
  {
    format: oneOf([SNAPSHOT_FORMAT]),
    configVersion: text,
    endpointVersion: text,
    trustDomain: text,
    outboundPolicy: oneOf(['ALLOW_ANY', 'REGISTRY_ONLY']),
    services: listOf(service),
  },
  { pathNormalization: oneOf(PATH_NORMALIZATIONS), healthChecks: listOf(healthCheck, 100), mtls },
);

/** Undefined: the value is a snapshot whose references resolve; else the first thing that is wrong. Nothing of a bad snapshot is used. */
export const validateSnapshot = (value: unknown): SnapshotProblem | undefined =>
  snapshot(value, '') ?? referenceProblem(value as Snapshot);

/** Each service once, and each backend a port of one of them. */
const referenceProblem = ({ services }: Snapshot): SnapshotProblem | undefined => {
  const known = new Map<string, ReadonlySet<number>>();
  for (const [at, { name: own, namespace, ports }] of services.entries()) {
    const key = `${own}.${namespace}`;
    if (known.has(key)) return expected(`services[${at}]`, `the only service ${key}`);
    known.set(key, new Set(ports.map(each => each.port)));
  }
  for (const { path, target } of allTargets(services)) {
    if (target.service === null) continue;
    const ports = known.get(target.service);
    if (ports === undefined) return expected(`${path}.service`, `a service of this snapshot, not "${target.service}"`);
    if (!ports.has(target.port)) return expected(`${path}.port`, `a port of ${target.service}, not ${target.port}`);
  }
  return undefined;
};

function* allTargets(
  services: readonly ServiceView[],
): Generator<{ readonly path: string; readonly target: Pick<BackendView, 'service' | 'port'> }> {
  for (const [s, { ports }] of services.entries())
    for (const [p, { routes }] of ports.entries())
      for (const [r, { backends, mirror: to }] of routes.entries()) {
        const path = `services[${s}].ports[${p}].routes[${r}]`;
        for (const [b, target] of backends.entries()) yield { path: `${path}.backends[${b}]`, target };
        if (to !== undefined) yield { path: `${path}.mirror`, target: to };
      }
}
