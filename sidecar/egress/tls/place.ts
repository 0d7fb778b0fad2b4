import type { FieldList, RequestHead } from '../../protocol/head.ts';
import type { CircuitBreaker } from '../../resilience/circuit-breaker.ts';
import type { Attempt } from '../../upstream/transport.ts';

/** The place of one attempt in the line for a connection. Owned by the line. */
export interface Place {
  readonly attempt: Attempt;
  readonly head: RequestHead;
  readonly volatile: FieldList;
  /** There is a connection, or there will be none. False: the attempt has left before, and wants nothing any more. */
  leave(): boolean;
}

/** Those who wait in a package for a connection, as many as the circuit breaker allows. Owned by a transport. */
export class Line {
  private readonly places = new Map<Attempt, Place>();
  private readonly breaker: CircuitBreaker;

  constructor(breaker: CircuitBreaker) {
    this.breaker = breaker;
  }

  /** Undefined: the line is full. */
  enter(attempt: Attempt, head: RequestHead, volatile: FieldList): Place | undefined {
    if (!this.breaker.take('pending_requests')) return undefined;
    const place: Place = {
      attempt,
      head,
      volatile,
      // An attempt comes back as the same object: only its present place is its own.
      leave: () => this.places.get(attempt) === place && this.remove(attempt),
    };
    this.places.set(attempt, place);
    return place;
  }

  /** Harmless for one that is not in line. */
  remove(attempt: Attempt): boolean {
    const waited = this.places.delete(attempt);
    if (waited) this.breaker.give('pending_requests');
    return waited;
  }

  all(): Place[] {
    return [...this.places.values()];
  }
}
