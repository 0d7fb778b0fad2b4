import type { RetryView } from '../../api/snapshot.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import type { RequestHead, ResponseHead } from '../protocol/head.ts';

/** Attempts after the first when a route does not say: enough to find an instance that takes the request. */
export const DEFAULT_RETRIES = 2;
export const DEFAULT_BACKOFF_MS = 25;

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Refusals by policy or limit: another instance would say the same, or must not be asked. */
const FINAL_FLAGS: ReadonlySet<string> = new Set(['UAEX', 'RL', 'UO', 'OM', 'NR', 'DPE']);

/** What one attempt came to: an error, or a head. */
export interface AttemptResult {
  readonly error: ProxyError | undefined;
  readonly head: ResponseHead | undefined;
}

/** Why this attempt should be repeated, in Envoy's words; '' when it should not. `attempt` counts from 1. Pure. */
export const retryReason = (request: RequestHead, result: AttemptResult, attempt: number, route: RetryView | null): string => {
  if (attempt > (route?.attempts ?? DEFAULT_RETRIES)) return '';
  return result.error === undefined ? headReason(result.head, route) : errorReason(request, result.error, attempt, route);
};

const errorReason = (request: RequestHead, error: ProxyError, attempt: number, route: RetryView | null): string => {
  if (error.retry === 'not-sent') return error.code === 'REFUSED' ? 'refused-stream' : 'connect-failure';
  if (error.retry !== 'if-idempotent') return '';
  if (SAFE_METHODS.has(request.method) && request.protocol === '' && attempt === 1) return 'reset';
  return route?.on.includes('reset') === true ? 'reset' : '';
};

const headReason = (head: ResponseHead | undefined, route: RetryView | null): string => {
  if (head === undefined) return '';
  if (head.mesh !== undefined) return head.mesh.notProcessed && !FINAL_FLAGS.has(head.mesh.flag) ? 'connect-failure' : '';
  if (route === null) return '';
  if (route.codes.includes(head.status)) return 'retriable-status-codes';
  if (head.status >= 500 && route.on.includes('5xx')) return '5xx';
  if (head.status >= 502 && head.status <= 504 && route.on.includes('gateway-error')) return 'gateway-error';
  return head.status === 409 && route.on.includes('retriable-4xx') ? 'retriable-4xx' : '';
};
