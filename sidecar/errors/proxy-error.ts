/** Why an exchange failed, as data: retry, metrics, access log and the answer read these fields, never a message. */

export type Side = 'downstream' | 'upstream' | 'local';

/** `not-sent`: safe to repeat, nothing was processed. `if-idempotent`: it may have been processed. */
export type Retry = 'never' | 'not-sent' | 'if-idempotent';

interface Kind {
  readonly side: Side;
  readonly retry: Retry;
  /** HTTP status of our own answer. */
  readonly http: number;
  /** gRPC status code of our own answer (the numbers of google.rpc.Code). */
  readonly grpc: number;
  /** Envoy's response flag. */
  readonly flag: string;
  /** One sentence for a person. */
  readonly sentence: string;
}

/** Every code, once. `docs/errors.md` lists the same table, and a test compares the two. */
export const ERRORS = {
  NO_ROUTE: {
    side: 'local',
    retry: 'never',
    http: 404,
    grpc: 12,
    flag: 'NR',
    sentence: 'No service or route matches this request.',
  },
  NO_BACKEND: {
    side: 'local',
    retry: 'never',
    http: 500,
    grpc: 14,
    flag: 'NC',
    sentence: 'The route that matches leads to no backend that exists.',
  },
  DISCOVERY_TIMEOUT: {
    side: 'local',
    retry: 'not-sent',
    http: 503,
    grpc: 14,
    flag: 'NR',
    sentence: 'The control plane did not say in time where this name lives.',
  },
  DENIED: {
    side: 'downstream',
    retry: 'never',
    http: 403,
    grpc: 7,
    flag: 'UAEX',
    sentence: 'A policy of the mesh does not allow this request.',
  },
  RATE_LIMITED: {
    side: 'local',
    retry: 'never',
    http: 429,
    grpc: 8,
    flag: 'RL',
    sentence: 'The rate limit for this request is used up.',
  },
  FAULT_INJECTED: {
    side: 'local',
    retry: 'never',
    http: 503,
    grpc: 14,
    flag: 'FI',
    sentence: 'The route injects a fault here, on purpose.',
  },
  OVERFLOW: {
    side: 'local',
    retry: 'never',
    http: 503,
    grpc: 14,
    flag: 'UO',
    sentence: 'The circuit breaker of the destination is at its limit.',
  },
  NO_HEALTHY_UPSTREAM: {
    side: 'local',
    retry: 'never',
    http: 503,
    grpc: 14,
    flag: 'UH',
    sentence: 'The destination has no healthy instance.',
  },
  CONNECT_FAILED: {
    side: 'upstream',
    retry: 'not-sent',
    http: 503,
    grpc: 14,
    flag: 'UF',
    sentence: 'No connection to the destination could be made.',
  },
  PEER_IDENTITY: {
    side: 'upstream',
    retry: 'not-sent',
    http: 503,
    grpc: 14,
    flag: 'UF',
    sentence: 'The instance at this address is not who it should be.',
  },
  REFUSED: {
    side: 'upstream',
    retry: 'not-sent',
    http: 503,
    grpc: 14,
    flag: 'UR',
    sentence: 'The destination refused the request before processing it.',
  },
  UPSTREAM_RESET: {
    side: 'upstream',
    retry: 'if-idempotent',
    http: 503,
    grpc: 14,
    flag: 'UR',
    sentence: 'The destination reset the request.',
  },
  UPSTREAM_CLOSED: {
    side: 'upstream',
    retry: 'if-idempotent',
    http: 503,
    grpc: 14,
    flag: 'UC',
    sentence: 'The connection to the destination ended during the request.',
  },
  DEADLINE_EXCEEDED: {
    side: 'local',
    retry: 'never',
    http: 504,
    grpc: 4,
    flag: 'UT',
    sentence: 'The request did not finish within its time limit.',
  },
  IDLE_TIMEOUT: {
    side: 'local',
    retry: 'never',
    http: 504,
    grpc: 4,
    flag: 'SI',
    sentence: 'Nothing came or went for longer than the idle timeout.',
  },
  DOWNSTREAM_RESET: {
    side: 'downstream',
    retry: 'never',
    http: 499,
    grpc: 1,
    flag: 'DC',
    sentence: 'The caller went away before the answer was complete.',
  },
  DOWNSTREAM_PROTOCOL: {
    side: 'downstream',
    retry: 'never',
    http: 400,
    grpc: 13,
    flag: 'DPE',
    sentence: 'The request breaks the rules of its protocol.',
  },
  HEAD_TOO_LARGE: {
    side: 'downstream',
    retry: 'never',
    http: 431,
    grpc: 8,
    flag: 'DPE',
    sentence: 'The request head is larger than the limit.',
  },
  URI_TOO_LONG: {
    side: 'downstream',
    retry: 'never',
    http: 414,
    grpc: 8,
    flag: 'DPE',
    sentence: 'The request target is longer than the limit.',
  },
  REQUEST_TIMEOUT: {
    side: 'downstream',
    retry: 'never',
    http: 408,
    grpc: 4,
    flag: 'DPE',
    sentence: 'The request head did not arrive in time.',
  },
  NOT_IMPLEMENTED: {
    side: 'downstream',
    retry: 'never',
    http: 501,
    grpc: 12,
    flag: 'DPE',
    sentence: 'The request uses a transfer coding that the mesh does not know.',
  },
  UPSTREAM_PROTOCOL: {
    side: 'upstream',
    retry: 'never',
    http: 502,
    grpc: 13,
    flag: 'UPE',
    sentence: 'The answer of the destination breaks the rules of its protocol.',
  },
  OVERLOAD: {
    side: 'local',
    retry: 'never',
    http: 503,
    grpc: 14,
    flag: 'OM',
    sentence: 'The sidecar is overloaded and takes no new work.',
  },
} as const satisfies Record<string, Kind>;

export type ErrorCode = keyof typeof ERRORS;

/** A failure: its code, which decides everything, and a machine-readable detail, which says more. Not an `Error`: making one costs no stack. */
export interface ProxyError {
  readonly code: ErrorCode;
  /** `snake_case`, stable, listed in docs/errors.md. */
  readonly detail: string;
  /** Overrides the code's own `retry` where more is known (a refused stream is `not-sent`). */
  readonly retry: Retry;
  /** What happened underneath, for the log: an errno, a TLS alert. Never shown to the caller. */
  readonly cause: string;
  /** The code with which the destination reset its stream (RFC 9113 §7): an HTTP/2 caller that has had the head is told the same. */
  readonly http2Code?: number;
  /** Takes the place of the code's own sentence in the answer, where more can be said. */
  readonly says?: string;
}

/** A `ProxyError` with the code's defaults. */
export const proxyError = (
  code: ErrorCode,
  detail: string,
  cause = '',
  retry: Retry = ERRORS[code].retry,
): ProxyError => ({
  code,
  detail,
  retry,
  cause,
});
