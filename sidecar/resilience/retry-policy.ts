import type { RetryView } from '../../api/snapshot.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import { fieldValue, type RequestHead, type ResponseHead } from '../protocol/head.ts';

/** Attempts after the first when a route does not say: enough to find an instance that takes the request. */
export const DEFAULT_RETRIES = 2;
export const DEFAULT_BACKOFF_MS = 25;

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Refusals by policy or limit: another instance would say the same, or must not be asked. */
const FINAL_FLAGS: ReadonlySet<string> = new Set(['UAEX', 'RL', 'UO', 'OM', 'NR', 'DPE']);

/** The app or its connection broke off: it may have processed the request. */
const RESET_FLAGS: ReadonlySet<string> = new Set(['UC', 'UR']);

/** What `on` calls a gRPC status. Envoy: x-envoy-retry-grpc-on. */
const GRPC_CONDITIONS: Readonly<Record<string, string>> = {
  '1': 'cancelled',
  '4': 'deadline-exceeded',
  '8': 'resource-exhausted',
  '13': 'internal',
  '14': 'unavailable',
};

/** What one attempt came to: an error, or a head. */
export interface AttemptResult {
  readonly error: ProxyError | undefined;
  readonly head: ResponseHead | undefined;
  /** It went out on a connection that had been idle. */
  readonly reusedConnection: boolean;
}

/** The server closed the connection in order. One that had been idle it closed before it saw the request; a TCP reset is its answer to it. */
const CLOSED_IN_ORDER = 'connection_ended';

/**
 * Which resets of safe methods are repeated without a word of the route: all of them; or only those where an idle connection was closed while
 * the request was on its way, which says nothing about the app.
 */
export type ResetRetries = 'always' | 'reused-connections';

/** What may be repeated: the route's word, and the mesh's own rule. */
export interface RetryRules {
  readonly retry: RetryView | null;
  readonly retriesResets: ResetRetries;
}

/** Safe to repeat even when it was processed (RFC 9110 §9.2.1), and no Upgrade. */
export const isSafe = (request: RequestHead): boolean => SAFE_METHODS.has(request.method) && request.protocol === '';

/** Why this attempt should be repeated, in Envoy's words; '' when it should not. `attempt` counts from 1. Pure. */
export const retryReason = (
  request: RequestHead,
  result: AttemptResult,
  attempt: number,
  rules: RetryRules,
): string => {
  if (attempt > (rules.retry?.attempts ?? DEFAULT_RETRIES)) return '';
  const { error, head } = result;
  if (error !== undefined) {
    if (error.retry === 'not-sent') return error.code === 'REFUSED' ? 'refused-stream' : 'connect-failure';
    return error.retry === 'if-idempotent' ? resetReason(request, result, attempt, rules) : '';
  }
  if (head?.mesh === undefined) return headReason(head, rules.retry);
  if (FINAL_FLAGS.has(head.mesh.flag)) return '';
  if (head.mesh.notProcessed) return 'connect-failure';
  return RESET_FLAGS.has(head.mesh.flag) ? resetReason(request, result, attempt, rules) : '';
};

/** The app may have seen the request: safe methods once, others when the route asks for it. */
const resetReason = (request: RequestHead, result: AttemptResult, attempt: number, rules: RetryRules): string => {
  const metClosing = result.reusedConnection && result.error?.detail === CLOSED_IN_ORDER;
  const byDefault = rules.retriesResets === 'always' || metClosing;
  if (byDefault && attempt === 1 && isSafe(request)) return 'reset';
  return rules.retry?.on.includes('reset') === true ? 'reset' : '';
};

const headReason = (head: ResponseHead | undefined, route: RetryView | null): string => {
  if (head === undefined || route === null) return '';
  const { status } = head;
  if (route.codes.includes(status)) return 'retriable-status-codes';
  if (status >= 500 && route.on.includes('5xx')) return '5xx';
  if (status >= 502 && status <= 504 && route.on.includes('gateway-error')) return 'gateway-error';
  if (status === 409 && route.on.includes('retriable-4xx')) return 'retriable-4xx';
  const condition = status === 200 && route.on.length > 0 ? grpcCondition(head) : undefined;
  return condition !== undefined && route.on.includes(condition) ? condition : '';
};

/** Only an answer of trailers alone: once a message came, nothing can be repeated. */
const grpcCondition = (head: ResponseHead): string | undefined =>
  GRPC_CONDITIONS[fieldValue(head.fields.list, 'grpc-status') ?? ''];
