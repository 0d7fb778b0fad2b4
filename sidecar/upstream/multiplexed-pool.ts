import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import { setWallTimer } from '../../common/wall-timer.ts';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';
import { type LinkValidity, replaceMarginMs } from '../identity/link-validity.ts';
import { parsePeerWorker } from '../listener/peer-hello.ts';
import type { FieldList, RequestHead } from '../protocol/head.ts';
import { Http2ClientConnection, type Http2ClientContext } from '../protocol/http2/forward.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import { PeerWorkers, type WorkerNumber } from './peer-workers.ts';
import type { Attempt, Dial, Transport } from './transport.ts';
import { WaitingLine } from './waiting-line.ts';

/** More than one connection only when one is full or stuck; never more than this. */
const MAX_CONNECTIONS = 4;
/** Above so many unwritten bytes a connection counts as stuck, and another one is opened. */
const STUCK_BYTES = 262_144;
/** A connection is replaced after an hour ± 10 % even when its certificate lives longer. */
const MAX_AGE_MS = 3_600_000;
/** Not sooner than this: a certificate that is not renewed must not make us dial all the time. */
const MIN_AGE_MS = 500;
/** When the next one could not be had, it is tried again after this time, or sooner when the certificates' end is near. */
const REPLACE_AGAIN_MS = 5_000;
const MIN_REPLACE_AGAIN_MS = 250;
/** A connection that may lead to another worker of the peer is given up when the peer does not say so in this time. */
const HELLO_MS = 1_000;

export interface MultiplexedPoolOptions {
  readonly dial: Dial;
  readonly breaker: CircuitBreaker;
  readonly clock: Clock;
  readonly random: Random;
  readonly http2: Omit<Http2ClientContext, 'onClose' | 'onRetire' | 'onRoom' | 'onPeer'>;
  /** On the link: whose pool it is. Absent: the peer has no workers. */
  readonly worker?: WorkerNumber;
}

/** What is known of a connection's time. */
interface Life {
  /** The end of its certificates (wall clock); infinity: it has none. */
  readonly endsAtMs: number;
  /** Its replacement, or the next try of it. */
  next: Timer | undefined;
  readonly end: Timer | undefined;
}

/**
 * HTTP/2 connections to one address: usually a single one that carries everything, or one for each worker of the peer that is ours to use. Owned by its address's transports; lives as long as its endpoint.
 * Each connection is: dialling → open → retired (takes nothing new) → closed. On the link the end of the certificates closes it in any case, so that
 * retired ones are as few as were made in one certificate's life.
 */
export class MultiplexedPool implements Transport {
  private readonly options: MultiplexedPoolOptions;
  private readonly waiting: WaitingLine;
  private readonly open: Http2ClientConnection[] = [];
  private readonly retired = new Set<Http2ClientConnection>();
  private readonly lives = new Map<Http2ClientConnection, Life>();
  private cancelDial: (() => void) | undefined = undefined;
  /** Those that are replaced as soon as the next one is open. */
  private readonly due = new Set<Http2ClientConnection>();
  private draining = false;
  private readonly workers: PeerWorkers<Http2ClientConnection>;
  /** They may lead to a worker of the peer that no other does; until it is known they take nothing. */
  private readonly candidates = new Set<Http2ClientConnection>();
  private seeking: (() => void) | undefined = undefined;

  constructor(options: MultiplexedPoolOptions) {
    this.options = options;
    this.waiting = new WaitingLine(options.breaker);
    this.workers = new PeerWorkers(options.worker ?? { number: 0, count: 1 });
  }

  get connections(): number {
    return this.open.length + this.retired.size + this.candidates.size;
  }

  send(attempt: Attempt, head: RequestHead, volatile: FieldList): void {
    const connection = this.pick();
    if (connection !== undefined) {
      attempt.forwardTo(connection.request(attempt, head, volatile, attempt.headOnly), false);
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
    const least = this.workers.several ? leastLoaded(open) : undefined;
    if (least !== undefined) return least;
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
    if (this.cancelDial !== undefined || this.draining || !this.mayDial()) return;
    let finished = false;
    const cancel = this.options.dial((error, socket, validity) => {
      finished = true;
      this.cancelDial = undefined;
      if (socket === undefined) return this.dialFailed(error ?? proxyError('CONNECT_FAILED', 'connect'));
      this.connected(socket, validity);
    });
    if (!finished) this.cancelDial = cancel;
  }

  /** The first connection is always allowed, and so is one that replaces another; no further one while an open one may yet turn out to have room. */
  private mayDial(): boolean {
    const { breaker } = this.options;
    if (this.due.size === 0 && this.open.some(({ undecided }) => undecided)) return false;
    const always = this.open.length === 0 || this.due.size > 0;
    if (!always && (this.open.length >= MAX_CONNECTIONS || breaker.isOpen('connections'))) return false;
    breaker.force('connections');
    return true;
  }

  private dialFailed(error: ProxyError): void {
    this.options.breaker.give('connections');
    const due = [...this.due];
    this.due.clear();
    for (const connection of due) this.replaceAgain(connection);
    if (this.open.length === 0) this.waiting.failAll(error);
  }

  private connected(socket: Duplex, validity: LinkValidity | undefined): void {
    this.open.push(this.begin(socket, validity));
    for (const old of [...this.due]) old.drain();
    this.due.clear();
    this.workers.startAgain();
    this.dispatch();
  }

  private begin(socket: Duplex, validity: LinkValidity | undefined): Http2ClientConnection {
    const { clock, random } = this.options;
    const connection: Http2ClientConnection = new Http2ClientConnection(socket, {
      ...this.options.http2,
      onClose: () => this.closed(connection),
      onRetire: () => this.retire(connection),
      onRoom: () => this.dispatch(),
      onPeer: payload => this.heard(connection, parsePeerWorker(payload)),
    });
    const endsAtMs = validity?.notAfterMs ?? Number.POSITIVE_INFINITY;
    const end = validity && setWallTimer(clock, endsAtMs, () => connection.expire());
    this.lives.set(connection, { endsAtMs, next: undefined, end });
    const leftMs = endsAtMs - clock.wallMs();
    const replaceInMs = validity === undefined ? leftMs : leftMs - replaceMarginMs(leftMs);
    this.replaceAfter(connection, Math.max(MIN_AGE_MS, Math.min(MAX_AGE_MS * (0.9 + 0.2 * random()), replaceInMs)));
    return connection;
  }

  // ---- the workers of the peer ---------------------------------------------------------------------------------------

  private heard(connection: Http2ClientConnection, worker: WorkerNumber): void {
    const { workers, open } = this;
    workers.heard(connection, worker);
    if (this.candidates.delete(connection)) {
      if (workers.isNeeded(connection, open)) {
        for (const other of workers.unwanted(open)) other.drain();
        open.push(connection);
        this.dispatch();
      } else connection.drain();
    }
    this.seek();
  }

  /** Dials once more where a worker of the peer is missing, after a pause, and not without end. */
  private seek(): void {
    if (this.seeking !== undefined || this.candidates.size > 0 || this.draining || !this.isMissing()) return;
    const pauseMs = this.workers.nextTryMs();
    if (pauseMs === undefined) return;
    const timer = this.options.clock.setTimer(pauseMs, () => {
      this.seeking = undefined;
      if (this.isMissing()) this.dialCandidate();
    });
    this.seeking = () => timer.cancel();
  }

  /** One that nobody uses, or that is at its limits, needs no more connections. */
  private isMissing(): boolean {
    return this.open.length > 0 && this.workers.isMissing(this.open) && !this.options.breaker.isOpen('connections');
  }

  private dialCandidate(): void {
    const { dial, breaker, clock } = this.options;
    breaker.force('connections');
    let finished = false;
    const cancel = dial((_error, socket, validity) => {
      finished = true;
      this.seeking = undefined;
      if (socket === undefined) {
        breaker.give('connections');
        this.seek();
        return;
      }
      const connection = this.begin(socket, validity);
      this.candidates.add(connection);
      clock.setTimer(HELLO_MS, () => {
        if (this.candidates.delete(connection)) connection.drain();
      });
    });
    if (finished) return;
    this.seeking = () => {
      cancel();
      breaker.give('connections');
    };
  }

  // ---- the end of a connection ---------------------------------------------------------------------------------------

  private replaceAfter(connection: Http2ClientConnection, ms: number): void {
    const life = this.lives.get(connection);
    if (life !== undefined) life.next = this.options.clock.setTimer(ms, () => this.replace(connection));
  }

  /** Several tries fit before the end. */
  private replaceAgain(connection: Http2ClientConnection): void {
    const leftMs = (this.lives.get(connection)?.endsAtMs ?? 0) - this.options.clock.wallMs();
    this.replaceAfter(connection, Math.max(MIN_REPLACE_AGAIN_MS, Math.min(REPLACE_AGAIN_MS, leftMs / 4)));
  }

  /** A new connection first; the old one drains when the new one is there. */
  private replace(connection: Http2ClientConnection): void {
    if (!connection.takesRequests) return;
    this.due.add(connection);
    this.dial();
  }

  private dispatch(): void {
    while (this.waiting.length > 0) {
      const connection = this.pick();
      if (connection === undefined) return this.dial();
      const next = this.waiting.take(false);
      if (next === undefined) return;
      next.attempt.forwardTo(connection.request(next.attempt, next.head, next.volatile, next.attempt.headOnly), false);
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
    this.workers.forget(connection);
    this.lives.get(connection)?.end?.cancel();
    this.lives.delete(connection);
    this.options.breaker.give('connections');
    if (this.waiting.length > 0) this.dial();
  }

  private removeOpen(connection: Http2ClientConnection): void {
    const at = this.open.indexOf(connection);
    if (at >= 0) this.open.splice(at, 1);
    this.due.delete(connection);
    this.candidates.delete(connection);
    this.lives.get(connection)?.next?.cancel();
    this.seek();
  }

  /** What is open takes nothing new, and the next request dials: the peer must prove again who it is. */
  renew(): void {
    for (const connection of [...this.open, ...this.candidates]) connection.drain();
  }

  drain(): void {
    this.draining = true;
    if (this.cancelDial !== undefined) {
      this.cancelDial();
      this.cancelDial = undefined;
      this.options.breaker.give('connections');
    }
    this.seeking?.();
    this.seeking = undefined;
    this.waiting.failAll(proxyError('CONNECT_FAILED', 'endpoint_gone'));
    for (const connection of [...this.open, ...this.candidates]) connection.drain();
  }

  close(): void {
    this.drain();
    for (const connection of [...this.open, ...this.retired]) connection.close();
  }
}

/** The one with the fewest requests under way among those that take one; undefined: none does. */
const leastLoaded = (open: readonly Http2ClientConnection[]): Http2ClientConnection | undefined => {
  let least: Http2ClientConnection | undefined;
  for (const connection of open) {
    if (!connection.available || connection.unwritten > STUCK_BYTES) continue;
    if (least === undefined || connection.openStreams < least.openStreams) least = connection;
  }
  return least;
};
