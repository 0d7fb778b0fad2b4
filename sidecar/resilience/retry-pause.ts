import type { Random } from '../../common/random.ts';
import { fieldValue, type ResponseHead } from '../protocol/head.ts';

/** Pauses grow to ten times the first one. Envoy: retry_back_off.max_interval. */
const MAX_FACTOR = 10;
/** A server that wants to be left alone for longer gets no retry of ours: the caller waits better than we do. Envoy: rate_limited max_interval 300 s. */
const MAX_RETRY_AFTER_MS = 10_000;

/** Before attempt `attempt + 1`: evenly spread over [0, firstMs · 2^(attempt−1)), at most ten times `firstMs`. Full jitter, Brooker 2015. */
export const backoffMs = (firstMs: number, attempt: number, random: Random): number =>
  random() * firstMs * Math.min(2 ** (attempt - 1), MAX_FACTOR);

/**
 * How long the server asks to be left alone (RFC 9110 §10.2.3: seconds or a date), 0 when it does not say; undefined: longer than we wait.
 * `wallMs`: the time now.
 */
export const retryAfterMs = (head: ResponseHead | undefined, wallMs: number): number | undefined => {
  const value = head === undefined ? undefined : fieldValue(head.fields.list, 'retry-after');
  if (value === undefined) return 0;
  const ms = /^[0-9]{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - wallMs;
  if (Number.isNaN(ms)) return 0;
  return ms > MAX_RETRY_AFTER_MS ? undefined : Math.max(0, ms);
};
