import type { RetryView } from '../../api/snapshot.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import type { RequestHead, ResponseHead } from '../protocol/head.ts';

/** Attempts after the first when a route does not say: enough to find an instance that takes the request. */
export const DEFAULT_RETRIES = 2;
export const DEFAULT_BACKOFF_MS = 25;

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Refusals by policy or limit: another instance would say the same, or must not be asked. */
const FINAL_FLAGS: ReadonlySet<string> = new Set(['UAEX', 'RL', 'UO', 'OM', 'NR', 'DPE']);

/** The app or its connection broke off: it may have processed the request. */
const RESET_FLAGS: ReadonlySet<string> = new Set(['UC', 'UR']);

/** What one attempt came to: an error, or a head. */
export interface AttemptResult {
  readonly error: ProxyError | undefined;
  readonly head: ResponseHead | undefined;
}

/** What may be repeated: the route's word, and whether resets of safe methods are repeated without it. */
export interface RetryRules {
  readonly retry: RetryView | null;
  readonly retriesResets: boolean;
}

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
    return error.retry === 'if-idempotent' ? resetReason(request, attempt, rules) : '';
  }
  if (head?.mesh === undefined) return headReason(head, rules.retry);
  if (FINAL_FLAGS.has(head.mesh.flag)) return '';
  if (head.mesh.notProcessed) return 'connect-failure';
  return RESET_FLAGS.has(head.mesh.flag) ? resetReason(request, attempt, rules) : '';
};

/** The app may have seen the request: safe methods once, others when the route asks for it. */
const resetReason = (request: RequestHead, attempt: number, rules: RetryRules): string => {
  const safe = SAFE_METHODS.has(request.method) && request.protocol === '' && attempt === 1;
  return (rules.retriesResets && safe) || rules.retry?.on.includes('reset') === true ? 'reset' : '';
};

const headReason = (head: ResponseHead | undefined, route: RetryView | null): string => {
  if (head === undefined || route === null) return '';
  if (route.codes.includes(head.status)) return 'retriable-status-codes';
  if (head.status >= 500 && route.on.includes('5xx')) return '5xx';
  if (head.status >= 502 && head.status <= 504 && route.on.includes('gateway-error')) return 'gateway-error';
  return head.status === 409 && route.on.includes('retriable-4xx') ? 'retriable-4xx' : '';
};
