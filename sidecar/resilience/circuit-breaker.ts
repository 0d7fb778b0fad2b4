import type { CircuitBreakerView } from '../../api/snapshot.ts';

/** What is limited. The names are those of the metric's label. */
export const LIMITS = ['connections', 'pending_requests', 'requests', 'retries'] as const;
export type Limit = (typeof LIMITS)[number];

const MAXIMA = {
  connections: 'maxConnections',
  pending_requests: 'maxPendingRequests',
  requests: 'maxRequests',
  retries: 'maxRetries',
} as const satisfies Record<Limit, keyof CircuitBreakerView>;

/**
 * How much of each kind is under way at one destination, and how much may be. What is beyond is refused at once: a queue would hide the
 * overload and fill our memory. Owned by its cluster, or by the transports to the app. Envoy: circuit_breakers.thresholds.
 */
export class CircuitBreaker {
  limits: CircuitBreakerView;
  private readonly counts: Record<Limit, number> = { connections: 0, pending_requests: 0, requests: 0, retries: 0 };
  private readonly onRefuse: (limit: Limit, max: number) => void;

  /** `onRefuse` hears of every refusal. */
  constructor(limits: CircuitBreakerView, onRefuse: (limit: Limit, max: number) => void = () => {}) {
    this.limits = limits;
    this.onRefuse = onRefuse;
  }

  /** Takes one; false: there is no more. What was taken is given back once. */
  take(limit: Limit): boolean {
    const max = this.limits[MAXIMA[limit]];
    if (this.counts[limit] >= max) {
      this.onRefuse(limit, max);
      return false;
    }
    this.counts[limit]++;
    return true;
  }

  /** Takes one whatever the limit says: an address without any connection may always have one. Envoy does the same. */
  force(limit: Limit): void {
    this.counts[limit]++;
  }

  give(limit: Limit): void {
    this.counts[limit]--;
  }

  /** So many are under way. */
  count(limit: Limit): number {
    return this.counts[limit];
  }

  /** One more would be refused. */
  isOpen(limit: Limit): boolean {
    return this.counts[limit] >= this.limits[MAXIMA[limit]];
  }
}
