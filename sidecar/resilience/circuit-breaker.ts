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
  /** Raw TCP connections, whatever carries them. */
  private raw = 0;
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

  /**
   * Takes a raw TCP connection, which is a connection and a request that lasts: both limits hold. Gives the limit that refuses it.
   * The one connection to a peer's sidecar that carries them all is no such connection.
   */
  takeRaw(): Limit | undefined {
    const { maxConnections } = this.limits;
    if (this.raw >= maxConnections) {
      this.onRefuse('connections', maxConnections);
      return 'connections';
    }
    if (!this.take('requests')) return 'requests';
    this.raw++;
    return undefined;
  }

  giveRaw(): void {
    this.raw--;
    this.give('requests');
  }

  /** So many are under way. */
  count(limit: Limit): number {
    return this.counts[limit];
  }

  /** One more would be refused. */
  isOpen(limit: Limit): boolean {
    const count = limit === 'connections' ? Math.max(this.counts.connections, this.raw) : this.counts[limit];
    return count >= this.limits[MAXIMA[limit]];
  }
}
