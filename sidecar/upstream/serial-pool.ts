import type { Duplex } from 'node:stream';
import type { Clock } from '../../common/clock.ts';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';
import type { FieldList, RequestHead } from '../protocol/head.ts';
import type { ResponseSink, Upstream } from '../protocol/stream.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import { isSafe } from '../resilience/retry-policy.ts';
import { LearnedIdleTime } from './learned-idle-time.ts';
import type { Attempt, Dial, Transport } from './transport.ts';
import { type Waiting, WaitingLine } from './waiting-line.ts';

/** A request that must not be repeated looks whether a connection that was idle for longer was closed meanwhile. */
const LOOK_AFTER_MS = 100;

/** A connection that carries one exchange at a time. */
export interface SerialConnection {
  /** Begins an exchange. On a connection that just closed it is reset as `not-sent`. */
  request(sink: ResponseSink, head: RequestHead, volatile: FieldList, end: boolean): Upstream;
  /** Closes at once; an open exchange is reset. */
  close(): void;
}

/** What a connection tells its pool. */
export interface SerialEvents {
  /** The exchange is over and the connection takes another one. */
  onIdle(connection: SerialConnection): void;
  /** Once; the connection is gone, or will be soon and must not be used any more. */
  onClose(connection: SerialConnection): void;
}

export interface SerialPoolOptions {
  readonly dial: Dial;
  readonly breaker: CircuitBreaker;
  readonly clock: Clock;
  readonly connect: (socket: Duplex, events: SerialEvents) => SerialConnection;
}

/**
 * Connections to one address that carry one exchange at a time (HTTP/1, Thrift). The one that was used last is used next, so that those
 * that are not needed grow old and are closed by the other side. Owned by its address's transports; lives as long as its endpoint.
 *
 * Where a server closes an idle connection while a request is on its way, nobody knows whether it was seen. So connections are not used when
 * they have been idle for almost as long as the server was seen to wait; a request that must not be repeated lets the event loop read what
 * has come in, perhaps a FIN, before it is written; and a second attempt goes out on a connection that was never used.
 */
export class SerialPool implements Transport {
  private readonly options: SerialPoolOptions;
  private readonly events: SerialEvents;
  private readonly waiting: WaitingLine;
  private readonly all = new Set<SerialConnection>();
  private readonly idle: SerialConnection[] = [];
  /** Since when, for each of `idle`. */
  private readonly idleSinceMs: number[] = [];
  private readonly idleTime: LearnedIdleTime;
  private readonly dials = new Set<() => void>();
  private draining = false;
  private looking = false;

  constructor(options: SerialPoolOptions) {
    this.options = options;
    this.waiting = new WaitingLine(options.breaker);
    this.idleTime = new LearnedIdleTime(options.clock);
    this.events = {
      onIdle: connection => this.onIdle(connection),
      onClose: connection => this.onClose(connection),
    };
  }

  get connections(): number {
    return this.all.size;
  }

  send(attempt: Attempt, head: RequestHead, volatile: FieldList): void {
    const look = this.idle.length > 0 && !isSafe(head) && this.idleForMs() > LOOK_AFTER_MS;
    const connection = attempt.wantsFresh || look ? undefined : this.takeIdle();
    if (connection !== undefined) {
      attempt.forwardTo(connection.request(attempt, head, volatile, attempt.headOnly), true);
      return;
    }
    if (!this.waiting.add(attempt, head, volatile)) {
      attempt.attemptFailed(proxyError('OVERFLOW', 'pending_requests'));
      return;
    }
    if (look && !attempt.wantsFresh) this.lookFirst();
    else this.dialForWaiting();
  }

  forget(attempt: Attempt): void {
    this.waiting.remove(attempt);
  }

  /** How long the one that was used last has been idle. */
  private idleForMs(): number {
    return this.options.clock.nowMs() - (this.idleSinceMs.at(-1) ?? 0);
  }

  /** The one that was used last; those that the server may be about to close are closed. */
  private takeIdle(): SerialConnection | undefined {
    const { idle, idleSinceMs } = this;
    if (idle.length === 0) return undefined;
    if (this.idleForMs() <= this.idleTime.safeMs) {
      idleSinceMs.pop();
      return idle.pop();
    }
    // The others have been idle for longer still.
    idleSinceMs.length = 0;
    for (const connection of idle.splice(0)) connection.close();
    return undefined;
  }

  /** What the kernel has received is read in the next turn of the event loop at the latest; after that come those who wait. */
  private lookFirst(): void {
    if (this.looking) return;
    this.looking = true;
    setImmediate(() =>
      setImmediate(() => {
        this.looking = false;
        this.serveFromIdle();
      }),
    );
  }

  private serveFromIdle(): void {
    while (this.waiting.length > 0) {
      const connection = this.takeIdle();
      if (connection === undefined) break;
      const next = this.waiting.take(true);
      if (next === undefined) {
        this.putIdle(connection);
        break;
      }
      this.begin(connection, next, true);
    }
    this.dialForWaiting();
  }

  private begin(connection: SerialConnection, { attempt, head, volatile }: Waiting, used: boolean): void {
    attempt.forwardTo(connection.request(attempt, head, volatile, attempt.headOnly), used);
  }

  private dialForWaiting(): void {
    while (!this.draining && this.dials.size < this.waiting.length && this.mayDial()) this.dial();
  }

  /** Within the limit of connections, which counts for all addresses of the destination; the first one here is always allowed. */
  private mayDial(): boolean {
    const { breaker } = this.options;
    if (this.all.size + this.dials.size === 0) {
      breaker.force('connections');
      return true;
    }
    if (!breaker.isOpen('connections')) return breaker.take('connections');
    // Only those are left in line that want a fresh connection: an idle one makes room for it.
    const oldest = this.idle.shift();
    if (oldest === undefined) return false;
    this.idleSinceMs.shift();
    oldest.close();
    return false;
  }

  private dial(): void {
    let over = false;
    let cancel: (() => void) | undefined;
    cancel = this.options.dial((error, socket) => {
      over = true;
      if (cancel !== undefined) this.dials.delete(cancel);
      if (socket === undefined) this.dialFailed(error ?? proxyError('CONNECT_FAILED', 'connect'));
      else this.connected(this.options.connect(socket, this.events));
    });
    if (!over) this.dials.add(cancel);
  }

  private connected(connection: SerialConnection): void {
    this.all.add(connection);
    this.serve(connection, false);
  }

  /** Each failed dial answers one: the others' own dials may succeed. */
  private dialFailed(error: ProxyError): void {
    this.options.breaker.give('connections');
    this.waiting.take(false)?.attempt.attemptFailed(error);
    this.dialForWaiting();
  }

  private onIdle(connection: SerialConnection): void {
    this.serve(connection, true);
  }

  private serve(connection: SerialConnection, used: boolean): void {
    const next = this.waiting.length === 0 ? undefined : this.waiting.take(used);
    if (next !== undefined) this.begin(connection, next, used);
    else if (this.draining) connection.close();
    else {
      this.putIdle(connection);
      if (this.waiting.length > 0) this.dialForWaiting();
    }
  }

  private putIdle(connection: SerialConnection): void {
    this.idle.push(connection);
    this.idleSinceMs.push(this.options.clock.nowMs());
  }

  private onClose(connection: SerialConnection): void {
    this.all.delete(connection);
    this.options.breaker.give('connections');
    const at = this.idle.lastIndexOf(connection);
    if (at >= 0) {
      const [sinceMs] = this.idleSinceMs.splice(at, 1);
      this.idle.splice(at, 1);
      this.idleTime.closedAfter(this.options.clock.nowMs() - (sinceMs as number));
    }
    if (this.waiting.length > 0) this.dialForWaiting();
  }

  drain(): void {
    this.draining = true;
    for (const cancel of this.dials) {
      cancel();
      this.options.breaker.give('connections');
    }
    this.dials.clear();
    this.waiting.failAll(proxyError('CONNECT_FAILED', 'endpoint_gone'));
    this.idleSinceMs.length = 0;
    for (const connection of this.idle.splice(0)) connection.close();
  }

  close(): void {
    this.drain();
    for (const connection of [...this.all]) connection.close();
  }
}
