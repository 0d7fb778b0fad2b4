import type { ProxyError } from '../errors/proxy-error.ts';
import type { FieldList, RequestHead } from '../protocol/head.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { Attempt } from './transport.ts';

/** An attempt in line for a connection. */
export interface Waiting {
  readonly attempt: Attempt;
  readonly head: RequestHead;
  readonly volatile: FieldList;
}

/** Those in line for a connection, as many as the circuit breaker allows. Owned by a transport. */
export class WaitingLine {
  private readonly line = new Map<Attempt, Waiting>();
  private readonly breaker: CircuitBreaker;

  constructor(breaker: CircuitBreaker) {
    this.breaker = breaker;
  }

  get length(): number {
    return this.line.size;
  }

  /** False: the line is full. */
  add(attempt: Attempt, head: RequestHead, volatile: FieldList): boolean {
    if (!this.breaker.take('pending_requests')) return false;
    this.line.set(attempt, { attempt, head, volatile });
    return true;
  }

  remove(attempt: Attempt): void {
    if (this.line.delete(attempt)) this.breaker.give('pending_requests');
  }

  /** The first in line, who leaves it. `used`: for a connection that was used before, which not everyone takes. */
  take(used: boolean): Waiting | undefined {
    for (const [attempt, waiting] of this.line) {
      if (used && attempt.wantsFresh) continue;
      this.remove(attempt);
      return waiting;
    }
    return undefined;
  }

  failAll(error: ProxyError): void {
    for (const attempt of [...this.line.keys()]) {
      // One that fails may take others out of the line.
      if (!this.line.has(attempt)) continue;
      this.remove(attempt);
      attempt.attemptFailed(error);
    }
  }
}
