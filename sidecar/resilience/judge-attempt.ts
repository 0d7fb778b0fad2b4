import type { ProxyError } from '../errors/proxy-error.ts';

/** What an attempt says about the instance: it works, it does not, or nothing at all. */
export type Judgement = 'success' | 'failure' | 'neutral';

/** How an attempt ended. The exchange is one. */
export interface AttemptOutcome {
  readonly error: ProxyError | undefined;
  /** 0: no answer. */
  readonly status: number;
  /** '' unless the caller speaks gRPC. */
  readonly grpcStatus: string;
  /** The flag of an answer that the peer's sidecar made, or ''. */
  readonly peerFlag: string;
}

/** Refusals by policy or limit, and what callers did wrong: nothing about the app. */
const NEUTRAL_FLAGS: ReadonlySet<string> = new Set(['UAEX', 'RL', 'UO', 'OM', 'NR', 'DPE', 'DC', 'SI']);
/** Ours, in the same sense; a GOAWAY or a refused stream is how a healthy instance leaves. */
const FAILURE_CODES: ReadonlySet<string> = new Set([
  'CONNECT_FAILED',
  'PEER_IDENTITY',
  'UPSTREAM_RESET',
  'UPSTREAM_CLOSED',
  'UPSTREAM_PROTOCOL',
  'DEADLINE_EXCEEDED',
]);
/** Failures to connect that are our own doing. */
const OWN_DETAILS: ReadonlySet<string> = new Set(['endpoint_gone', 'no_identity']);
/** UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS: what Envoy counts as 5xx, but for UNIMPLEMENTED, which is the caller's mistake. */
const FAILURE_GRPC: ReadonlySet<string> = new Set(['2', '4', '13', '14', '15']);

/** Whether an attempt counts for or against its instance. Pure. Envoy: outlier_detection, consecutive_5xx and local origin failures. */
export const judgeAttempt = ({ error, status, grpcStatus, peerFlag }: AttemptOutcome): Judgement => {
  if (error !== undefined)
    return FAILURE_CODES.has(error.code) && !OWN_DETAILS.has(error.detail) ? 'failure' : 'neutral';
  if (peerFlag !== '') return NEUTRAL_FLAGS.has(peerFlag) ? 'neutral' : 'failure';
  if (status === 0) return 'neutral';
  return status >= 500 || FAILURE_GRPC.has(grpcStatus) ? 'failure' : 'success';
};

/** In a few words, for a log line. */
export const describeFailure = ({ error, status, grpcStatus, peerFlag }: AttemptOutcome): string => {
  if (error !== undefined) return `${error.code} ${error.detail}${error.cause === '' ? '' : ` (${error.cause})`}`;
  if (peerFlag !== '') return `flag ${peerFlag} of its sidecar`;
  return grpcStatus === '' ? `status ${status}` : `grpc-status ${grpcStatus}`;
};
