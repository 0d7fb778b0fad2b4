/** When to renew a certificate: arithmetic only. */
import type { Random } from '../common/random.ts';

/** Renewals spread over this share of the lifetime around its half, so that workloads that started together don't come together. */
const JITTER_RATIO = 0.1;

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 5 * 60_000;

export interface CertificateLifetime {
  /** When it was received. After a restart: its notBefore. */
  readonly sinceMs: number;
  readonly notAfterMs: number;
}

/** Milliseconds from now until half of the life is over, ± 5 % of it; 0 when that has passed. */
export const renewalDelayMs = ({ sinceMs, notAfterMs }: CertificateLifetime, nowMs: number, random: Random): number => {
  const share = 0.5 + JITTER_RATIO * (random() - 0.5);
  return Math.max(0, sinceMs + (notAfterMs - sinceMs) * share - nowMs);
};

/**
 * The pause after the `failures`-th failed renewal in a row (1, 2, …): doubling from 1 s up to 5 min, half of it by chance.
 * Never more than a quarter of the time that is left, so that several tries always fit; never less than half a second.
 */
export const renewalRetryMs = (failures: number, leftMs: number, random: Random): number => {
  const doubled = FIRST_RETRY_MS * 2 ** Math.min(Math.max(failures, 1) - 1, 30);
  const ceiling = Math.max(FIRST_RETRY_MS, Math.min(LAST_RETRY_MS, doubled, leftMs > 0 ? leftMs / 4 : LAST_RETRY_MS));
  return ceiling * (0.5 + random() / 2);
};
