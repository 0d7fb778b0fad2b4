/**
 * The snapshot: everything one sidecar knows, compiled by the control plane, immutable, and kept in the state folder as
 * `snapshot.json`. Only plain JSON; durations are milliseconds; references between its parts always resolve.
 */

export const SNAPSHOT_FORMAT = 1;

/**
 * What an app port speaks. `http`: HTTP/1.1, and HTTP/2 without TLS for gRPC content types; `http2` and `grpc`: HTTP/2
 * without TLS (prior knowledge). The rest are as in a Kubernetes Service's `appProtocol`.
 */
export const APP_PROTOCOLS = ['http', 'http2', 'grpc', 'thrift', 'hessian', 'tcp'] as const;
export type AppProtocol = (typeof APP_PROTOCOLS)[number];

/** Which spellings of a path are one. Istio: pathNormalization. */
export const PATH_NORMALIZATIONS = ['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'] as const;
export type PathNormalization = (typeof PATH_NORMALIZATIONS)[number];

export interface Snapshot {
  readonly format: typeof SNAPSHOT_FORMAT;
  /** Changes with routes and policies. */
  readonly configVersion: string;
  /** Changes with endpoints alone. */
  readonly endpointVersion: string;
  readonly trustDomain: string;
  /** What happens to a destination that the control plane has answered "not in the mesh". */
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** How requests are spelled before they are matched. Absent: `BASE`. */
  readonly pathNormalization?: PathNormalization;
  readonly services: readonly ServiceView[];
  /** How this sidecar finds out whether its own app can serve. Absent: it takes the app's word for it. */
  readonly healthChecks?: readonly HealthCheckView[];
  /** Who may connect to this sidecar's own app. Absent: peers with a mesh certificate only. */
  readonly mtls?: MtlsView;
}

export const MTLS_MODES = ['STRICT', 'PERMISSIVE', 'DISABLE'] as const;
/** `STRICT`: mTLS from the mesh only; `PERMISSIVE`: plain text too; `DISABLE`: plain text, and TLS is the app's own. Callers that have not heard of it are still let in at the sidecar's own port. */
export type MtlsMode = (typeof MTLS_MODES)[number];

/** Istio: PeerAuthentication, as it comes out for one workload. */
export interface MtlsView {
  readonly mode: MtlsMode;
  /** By port of the app, where it differs. */
  readonly ports: Readonly<Record<string, MtlsMode>>;
}

/** All must pass, or the instance gets no traffic. */
export interface HealthCheckView {
  /** Port of the app. */
  readonly port: number;
  readonly probe: ProbeView;
  /** Pause between two checks. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Successes in a row that make it pass. */
  readonly healthyThreshold: number;
  /** Failures in a row that make it fail. */
  readonly unhealthyThreshold: number;
}

/** What is asked, and which answer is a good one. `authority` '': address and port of the app. */
export type ProbeView =
  | {
      readonly kind: 'http';
      readonly path: string;
      readonly authority: string;
      readonly headers: readonly NameValue[];
      /** Ranges of statuses, ends included. */
      readonly statuses: readonly (readonly [from: number, to: number])[];
      /** HTTP/2 without TLS; else HTTP/1.1. */
      readonly http2: boolean;
    }
  | {
      readonly kind: 'grpc';
      /** '' for the server as a whole. */
      readonly service: string;
    }
  | { readonly kind: 'tcp' };

/** One service, with its routes as this sidecar should apply them. */
export interface ServiceView {
  readonly name: string;
  readonly namespace: string;
  /** Cluster IPs, for interception by original destination. */
  readonly addresses: readonly string[];
  readonly ports: readonly PortView[];
  readonly endpoints: readonly EndpointView[];
}

export interface PortView {
  readonly port: number;
  /** '' when unnamed. */
  readonly name: string;
  readonly protocol: AppProtocol;
  /** Nobody says what the port speaks: `http` is assumed, and looked for. Absent: it was said. */
  readonly assumed?: true;
  /** What requests that leave the mesh here are addressed to, where no filter says otherwise. Absent: as the caller wrote it. */
  readonly authority?: string;
  /** In order of precedence: the first match wins. Empty: everything goes to this service's own endpoints. */
  readonly routes: readonly RouteView[];
  readonly policy: PolicyView;
}

/** One instance. */
export interface EndpointView {
  /** `host:port` that peers dial: the inbound port of its sidecar, or the app itself when `identity` is null. */
  readonly address: string;
  /** The SPIFFE id its certificate must have; null: an instance without a sidecar, dialled in plain text. */
  readonly identity: string | null;
  /** Service port (as a string, since it is a JSON key) to the port of the app. */
  readonly ports: Readonly<Record<string, number>>;
  /** Relative share; 1 by default, 0 gets nothing. */
  readonly weight: number;
  /** Name of the Workload. */
  readonly workload: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `region/zone`, or ''. */
  readonly locality: string;
}

export interface PolicyView {
  readonly loadBalancer: 'peakEwma' | 'leastRequest' | 'roundRobin' | 'random';
  /** Time for TCP and TLS together. */
  readonly connectTimeoutMs: number;
  /** The whole exchange, all attempts; 0: none. A route's own timeout wins. */
  readonly requestTimeoutMs: number;
  /** A stream or TCP connection without a byte in either direction; 0: none. */
  readonly idleTimeoutMs: number;
  readonly circuitBreaker: CircuitBreakerView;
  /** null: off. */
  readonly outlierDetection: OutlierDetectionView | null;
  readonly retryBudget: RetryBudgetView;
  /** Whether the Thrift calls of one client connection may be under way at once. Absent: they keep their order. */
  readonly thriftPipelining?: 'parallel' | 'ordered';
  /** How instances without a sidecar are dialled. Absent: in plain text. */
  readonly tls?: TlsOriginationView;
}

/** Istio: DestinationRule's `tls` with mode SIMPLE. */
export interface TlsOriginationView {
  /** What the server's certificate must be for, and what it is told (SNI). '': the host that is dialled. */
  readonly hostname: string;
  /** PEM; '': the public authorities that Node.js knows. */
  readonly caCertificates: string;
}

/** Envoy: circuit_breakers.thresholds. Counted per service port and sidecar. */
export interface CircuitBreakerView {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

/** Envoy: outlier_detection. */
export interface OutlierDetectionView {
  readonly consecutiveFailures: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** 0–100. */
  readonly maxEjectionPercent: number;
  /** 0–100: below so many percent of healthy instances, ejection is ignored. */
  readonly panicThresholdPercent: number;
}

/** Retries allowed: `ratio` (0–1) of the requests of the last `windowMs`, and at least `minRetries` in it. */
export interface RetryBudgetView {
  readonly ratio: number;
  readonly minRetries: number;
  readonly windowMs: number;
}

/** One rule of a route, matches and all. */
export interface RouteView {
  /** `namespace/route/rule`, for metrics and logs. */
  readonly name: string;
  /** Any one of them is enough; empty: everything. */
  readonly matches: readonly MatchView[];
  readonly filters: readonly FilterView[];
  /** Empty: answered by a redirect filter, or 500 as the Gateway API says. */
  readonly backends: readonly BackendView[];
  /** Gateway API timeouts.request; 0: none, null: as the policy says. */
  readonly requestTimeoutMs: number | null;
  /** Gateway API timeouts.backendRequest, per attempt; 0: none. */
  readonly attemptTimeoutMs: number;
  /** null: the mesh's default retries. */
  readonly retry: RetryView | null;
  /** Absent: none. */
  readonly fault?: FaultView;
  /** Absent: none. */
  readonly mirror?: MirrorView;
  /** Thrift: no call gets a reply, whatever its message says. Absent: as the message says. */
  readonly oneway?: boolean;
}

/** Where copies of requests go. Envoy: request_mirror_policies. */
export interface MirrorView {
  /** `name.namespace` of a service in the same snapshot. */
  readonly service: string;
  readonly port: number;
  /** 0–100. */
  readonly percent: number;
}

/** Envoy: HTTPFault. */
export interface FaultView {
  readonly delayMs: number;
  /** 0–100. */
  readonly delayPercent: number;
  /** 0–100. */
  readonly abortPercent: number;
}

export interface RetryView {
  /** Attempts after the first. */
  readonly attempts: number;
  /** HTTP statuses that are retried. */
  readonly codes: readonly number[];
  /** First pause; doubled each time, full jitter. */
  readonly backoffMs: number;
  /** Envoy's names: `connect-failure`, `refused-stream`, `reset`, `gateway-error`, `5xx`, `retriable-4xx`, or a gRPC code in lower case. */
  readonly on: readonly string[];
}

/** All parts that are present must match. */
export interface MatchView {
  readonly path?: { readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string };
  readonly method?: string;
  /** The method of a Hessian call, which its body says; no other request has one. */
  readonly rpcMethod?: { readonly type: 'Exact' | 'RegularExpression'; readonly value: string };
  /** Names lower-case. */
  readonly headers?: readonly ValueMatchView[];
  readonly query?: readonly ValueMatchView[];
}

export interface ValueMatchView {
  readonly name: string;
  readonly type: 'Exact' | 'RegularExpression';
  readonly value: string;
}

export type FilterView =
  | {
      readonly type: 'RequestHeaderModifier' | 'ResponseHeaderModifier';
      readonly set: readonly NameValue[];
      readonly add: readonly NameValue[];
      readonly remove: readonly string[];
    }
  | {
      readonly type: 'RequestRedirect';
      readonly scheme?: string;
      readonly hostname?: string;
      readonly port?: number;
      readonly path?: PathModifier;
      readonly statusCode: number;
    }
  | { readonly type: 'URLRewrite'; readonly hostname?: string; readonly path?: PathModifier };

export interface NameValue {
  readonly name: string;
  readonly value: string;
}

export type PathModifier =
  | { readonly type: 'ReplaceFullPath'; readonly value: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly value: string };

export interface BackendView {
  /** `name.namespace` of a service in the same snapshot; null: the reference does not resolve (its share answers 500). */
  readonly service: string | null;
  readonly port: number;
  readonly weight: number;
  readonly filters: readonly FilterView[];
}

/** Documented defaults, finite on purpose. */
export const DEFAULT_POLICY: PolicyView = {
  loadBalancer: 'peakEwma',
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 0,
  idleTimeoutMs: 3_600_000,
  circuitBreaker: { maxConnections: 10_000, maxPendingRequests: 10_000, maxRequests: 10_000, maxRetries: 1_000 },
  outlierDetection: {
    consecutiveFailures: 5,
    baseEjectionMs: 5_000,
    maxEjectionMs: 300_000,
    maxEjectionPercent: 50,
    panicThresholdPercent: 30,
  },
  retryBudget: { ratio: 0.2, minRetries: 3, windowMs: 10_000 },
};

/** Of a declared health check; nothing is checked by default. */
export const DEFAULT_HEALTH_CHECK: Pick<
  HealthCheckView,
  'intervalMs' | 'timeoutMs' | 'healthyThreshold' | 'unhealthyThreshold'
> = { intervalMs: 1_000, timeoutMs: 1_000, healthyThreshold: 1, unhealthyThreshold: 3 };
