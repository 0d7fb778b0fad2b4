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

/** Where each limit's count is, and behind them that of raw TCP connections, whatever carries them. */
const AT = { connections: 0, pending_requests: 1, requests: 2, retries: 3 } as const satisfies Record<Limit, number>;
const RAW = 4;
export const BREAKER_COUNTS = 5;

/**
 * How much of each kind is under way at one destination, and how much may be. What is beyond is refused at once: a queue would hide the
 * overload and fill our memory. All workers of a sidecar count in the same place. Owned by its cluster, or by the transports to the app.
 * Envoy: circuit_breakers.thresholds.
 */
export class CircuitBreaker {
  limits: CircuitBreakerView;
  private readonly counts: Int32Array;
  private readonly onRefuse: (limit: Limit, max: number) => void;

  /** `onRefuse` hears of every refusal. `counts`: `BREAKER_COUNTS` of them. */
  constructor(
    limits: CircuitBreakerView,
    onRefuse: (limit: Limit, max: number) => void = () => {},
    counts: Int32Array = new Int32Array(BREAKER_COUNTS),
  ) {
    this.limits = limits;
    this.onRefuse = onRefuse;
    this.counts = counts;
  }

  /** Takes one; false: there is no more. What was taken is given back once. */
  take(limit: Limit): boolean {
    const max = this.limits[MAXIMA[limit]];
    if (this.takeAt(AT[limit], max)) return true;
    this.onRefuse(limit, max);
    return false;
  }

  /** Takes one whatever the limit says: an address without any connection may always have one. Envoy does the same. */
  force(limit: Limit): void {
    Atomics.add(this.counts, AT[limit], 1);
  }

  give(limit: Limit): void {
    Atomics.sub(this.counts, AT[limit], 1);
  }

  /**
   * Takes a raw TCP connection, which is a connection and a request that lasts: both limits hold. Gives the limit that refuses it.
   * The one connection to a peer's sidecar that carries them all is no such connection.
   */
  takeRaw(): Limit | undefined {
    const { maxConnections } = this.limits;
    if (!this.takeAt(RAW, maxConnections)) {
      this.onRefuse('connections', maxConnections);
      return 'connections';
    }
    if (this.take('requests')) return undefined;
    Atomics.sub(this.counts, RAW, 1);
    return 'requests';
  }

  giveRaw(): void {
    Atomics.sub(this.counts, RAW, 1);
    this.give('requests');
  }

  /** So many are under way. */
  count(limit: Limit): number {
    return this.counts[AT[limit]]!;
  }

  /** One more would be refused. */
  isOpen(limit: Limit): boolean {
    const count = limit === 'connections' ? Math.max(this.count(limit), this.counts[RAW]!) : this.count(limit);
    return count >= this.limits[MAXIMA[limit]];
  }

  /** Takes first and looks then, so that two workers never both get the last one. */
  private takeAt(index: number, max: number): boolean {
    if (this.counts[index]! >= max) return false;
    if (Atomics.add(this.counts, index, 1) < max) return true;
    Atomics.sub(this.counts, index, 1);
    return false;
  }
}
