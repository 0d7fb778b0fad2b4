import { ERRORS, type ProxyError } from '../errors/proxy-error.ts';

/** The labels of everything that is measured per request. Values come from configuration and certificates, `method` alone from the request (see `MethodNames`). */
export interface RequestLabels {
  /** Which of the two sidecars counted: the caller's or the called one's. */
  readonly reporter: 'source' | 'destination' | typeof OVERFLOW_LABEL;
  readonly source_service: string;
  readonly source_namespace: string;
  /** SPIFFE id; '' when it is not known. */
  readonly source_principal: string;
  readonly destination_service: string;
  readonly destination_namespace: string;
  readonly destination_principal: string;
  readonly route: string;
  /** The RPC method for gRPC, Thrift and Hessian; '' for HTTP. */
  readonly method: string;
  readonly request_protocol: string;
  /** HTTP status; '0' when there was no answer. */
  readonly response_code: string;
  /** The number; '' when the protocol is not gRPC. */
  readonly grpc_response_status: string;
  /** Envoy's response flags; '-' when there is none. */
  readonly response_flags: string;
  readonly connection_security_policy: 'mutual_tls' | 'tls' | 'none' | typeof OVERFLOW_LABEL;
}

/** The labels that are known before the answer. A raw TCP connection has these. */
export type TcpLabels = Omit<RequestLabels, 'method' | 'response_code' | 'grpc_response_status' | 'response_flags'>;

/** What is the same for all requests with one head: the labels of a request but its outcome. */
export type HeadLabels = TcpLabels & Pick<RequestLabels, 'method'>;

/** The labels of a retry. `reason`: the error code that it answers to, or `STATUS`. */
export interface RetryLabels {
  readonly source_service: string;
  readonly source_namespace: string;
  readonly destination_service: string;
  readonly destination_namespace: string;
  readonly route: string;
  readonly reason: string;
}

/** Every label of the one series that counts what no longer fits has this value. */
export const OVERFLOW_LABEL = 'overflow';
/** The `method` of requests whose own is not admitted. */
export const OTHER_METHOD = 'other';
/** `response_flags` of an answer that the mesh had no hand in. */
export const NO_FLAGS = '-';

/** How an exchange ended, as far as labels tell it. */
export interface Outcome {
  /** 0: no answer. */
  readonly status: number;
  /** From the trailers, or from the head of a trailers-only answer; '' when the protocol is not gRPC. */
  readonly grpcStatus: string;
  readonly error: ProxyError | undefined;
  /** `x-outrider-flag` of an answer that the peer's sidecar made. */
  readonly peerFlag: string;
}

/** Envoy's response flags for an outcome: our own error's, else the peer's sidecar's, else `-`. */
export const responseFlags = (error: ProxyError | undefined, peerFlag: string): string =>
  error !== undefined ? ERRORS[error.code].flag : peerFlag || NO_FLAGS;

/** All labels of one request. */
export const requestLabels = (head: HeadLabels, method: string, outcome: Outcome): RequestLabels => ({
  reporter: head.reporter,
  source_service: head.source_service,
  source_namespace: head.source_namespace,
  source_principal: head.source_principal,
  destination_service: head.destination_service,
  destination_namespace: head.destination_namespace,
  destination_principal: head.destination_principal,
  route: head.route,
  method,
  request_protocol: head.request_protocol,
  response_code: String(outcome.status),
  grpc_response_status: outcome.grpcStatus,
  response_flags: responseFlags(outcome.error, outcome.peerFlag),
  connection_security_policy: head.connection_security_policy,
});

/**
 * The app answered and knows the method: neither did the mesh answer in its place, nor was it told UNIMPLEMENTED (12).
 * Callers of other RPC systems pass their own "unknown method" as `unknownMethod`.
 */
export const methodIsReal = (outcome: Outcome, unknownMethod = false): boolean =>
  !unknownMethod &&
  outcome.error === undefined &&
  outcome.peerFlag === '' &&
  outcome.grpcStatus !== '12' &&
  outcome.status !== 404;
