import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';
import type { FieldList, RequestHead } from '../protocol/head.ts';
import { Http2ClientConnection, type Http2ClientContext } from '../protocol/http2/forward.ts';
import { type Attempt, type Dial, type Transport, WaitingLine } from './transport.ts';

/** More than one connection only when one is full or stuck; never more than this. */
const MAX_CONNECTIONS = 4;
/** Above so many unwritten bytes a connection counts as stuck, and another one is opened. */
const STUCK_BYTES = 262_144;
/** A connection is replaced after an hour ± 10 % even when its certificate lives longer. */
const MAX_AGE_MS = 3_600_000;

export interface MultiplexedPoolOptions {
  readonly dial: Dial;
  readonly maxPending: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly http2: Omit<Http2ClientContext, 'onClose' | 'onRetire' | 'onRoom' | 'onPeer'>;
  /** When connections made now must be replaced (monotonic, from the certificate's end); infinity: never. */
  readonly replaceAtMs: () => number;
}

/**
 * HTTP/2 connections to one address: usually a single one that carries everything. Owned by `Upstreams`; lives as long as its endpoint.
 * Each connection is: dialling → open → retired (takes nothing new) → closed.
 */
export class MultiplexedPool implements Transport {
  private readonly options: MultiplexedPoolOptions;
  private readonly waiting: WaitingLine;
  private readonly open: Http2ClientConnection[] = [];
  private readonly retired = new Set<Http2ClientConnection>();
  private readonly ages = new Map<Http2ClientConnection, Timer>();
  private cancelDial: (() => void) | undefined = undefined;
  /** The one that is to be replaced as soon as the next is open. */
  private replaced: Http2ClientConnection | undefined = undefined;
  private draining = false;

  constructor(options: MultiplexedPoolOptions) {
    this.options = options;
    this.waiting = new WaitingLine(options.maxPending);
  }

  get connections(): number {
    return this.open.length + this.retired.size;
  }

  send(attempt: Attempt, head: RequestHead, volatile: FieldList): void {
    const connection = this.pick();
    if (connection !== undefined) {
      attempt.forwardTo(connection.request(attempt, head, volatile, attempt.headOnly));
      return;
    }
    if (!this.waiting.add(attempt, head, volatile)) {
      attempt.attemptFailed(proxyError('OVERFLOW', 'pending_requests'));
      return;
    }
    this.dial();
  }

  forget(attempt: Attempt): void {
    this.waiting.remove(attempt);
  }

  /** The first connection with room; a stuck one only when no other can be made. */
  private pick(): Http2ClientConnection | undefined {
    const { open } = this;
    let stuck: Http2ClientConnection | undefined;
    for (let i = 0; i < open.length; i++) {
      const connection = open[i] as Http2ClientConnection;
      if (!connection.available) continue;
      if (connection.unwritten <= STUCK_BYTES) return connection;
      stuck ??= connection;
    }
    if (stuck !== undefined) this.dial();
    return stuck;
  }

  private dial(): void {
    if (
      this.cancelDial !== undefined ||
      this.draining ||
      (this.open.length >= MAX_CONNECTIONS && this.replaced === undefined)
    )
      return;
    let finished = false;
    const cancel = this.options.dial((error, socket) => {
      finished = true;
      this.cancelDial = undefined;
      if (socket === undefined) return this.dialFailed(error ?? proxyError('CONNECT_FAILED', 'connect'));
      this.connected(socket);
    });
    if (!finished) this.cancelDial = cancel;
  }

  private dialFailed(error: ProxyError): void {
    this.replaced = undefined;
    if (this.open.length === 0) this.waiting.failAll(error);
  }

  private connected(socket: Duplex): void {
    const { clock, random, replaceAtMs } = this.options;
    const connection: Http2ClientConnection = new Http2ClientConnection(socket, {
      ...this.options.http2,
      onClose: () => this.closed(connection),
      onRetire: () => this.retire(connection),
      onRoom: () => this.dispatch(),
    });
    this.open.push(connection);
    const ageMs = Math.min(MAX_AGE_MS * (0.9 + 0.2 * random()), replaceAtMs() - clock.nowMs());
    this.ages.set(
      connection,
      clock.setTimer(Math.max(0, ageMs), () => this.replace(connection)),
    );
    this.replaced?.drain();
    this.replaced = undefined;
    this.dispatch();
  }

  /** A new connection first; the old one drains when the new one is there. */
  private replace(connection: Http2ClientConnection): void {
    if (!connection.takesRequests) return;
    this.replaced = connection;
    this.dial();
  }

  private dispatch(): void {
    while (this.waiting.length > 0) {
      const connection = this.pick();
      if (connection === undefined) return this.dial();
      const next = this.waiting.take();
      if (next === undefined) return;
      next.attempt.forwardTo(connection.request(next.attempt, next.head, next.volatile, next.attempt.headOnly));
    }
  }

  private retire(connection: Http2ClientConnection): void {
    this.removeOpen(connection);
    this.retired.add(connection);
    if (this.waiting.length > 0) this.dial();
  }

  private closed(connection: Http2ClientConnection): void {
    this.removeOpen(connection);
    this.retired.delete(connection);
    if (this.waiting.length > 0) this.dial();
  }

  private removeOpen(connection: Http2ClientConnection): void {
    const at = this.open.indexOf(connection);
    if (at >= 0) this.open.splice(at, 1);
    if (this.replaced === connection) this.replaced = undefined;
    this.ages.get(connection)?.cancel();
    this.ages.delete(connection);
  }

  drain(): void {
    this.draining = true;
    this.cancelDial?.();
    this.waiting.failAll(proxyError('CONNECT_FAILED', 'endpoint_gone'));
    for (const connection of [...this.open]) connection.drain();
  }

  close(): void {
    this.drain();
    for (const connection of [...this.open, ...this.retired]) connection.close();
  }
}
