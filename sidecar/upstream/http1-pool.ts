import { proxyError } from '../errors/proxy-error.ts';
import type { FieldList, RequestHead } from '../protocol/head.ts';
import { Http1ClientConnection, type Http1ClientContext } from '../protocol/http1/forward.ts';
import { type Attempt, type Dial, type Transport, WaitingLine } from './transport.ts';

export interface Http1PoolOptions {
  readonly dial: Dial;
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly http1: Omit<Http1ClientContext, 'onIdle' | 'onClose'>;
}

/**
 * HTTP/1 connections to one address, each with one exchange at a time. The one that was used last is used next, so that those
 * that are not needed grow old and are closed by the other side. Owned by `Upstreams`; lives as long as its endpoint.
 */
export class Http1Pool implements Transport {
  private readonly options: Http1PoolOptions;
  private readonly context: Http1ClientContext;
  private readonly waiting: WaitingLine;
  private readonly all = new Set<Http1ClientConnection>();
  private readonly idle: Http1ClientConnection[] = [];
  private readonly dials = new Set<() => void>();
  private dialling = 0;
  private draining = false;

  constructor(options: Http1PoolOptions) {
    this.options = options;
    this.waiting = new WaitingLine(options.maxPending);
    this.context = {
      ...options.http1,
      onIdle: connection => this.onIdle(connection),
      onClose: connection => this.onClose(connection),
    };
  }

  get connections(): number {
    return this.all.size;
  }

  send(attempt: Attempt, head: RequestHead, volatile: FieldList): void {
    const connection = this.idle.pop();
    if (connection !== undefined) {
      attempt.forwardTo(connection.request(attempt, head, volatile, attempt.headOnly));
      return;
    }
    if (!this.waiting.add(attempt, head, volatile)) {
      attempt.attemptFailed(proxyError('OVERFLOW', 'pending_requests'));
      return;
    }
    this.dialForWaiting();
  }

  forget(attempt: Attempt): void {
    this.waiting.remove(attempt);
  }

  private dialForWaiting(): void {
    while (
      !this.draining &&
      this.dialling < this.waiting.length &&
      this.all.size + this.dialling < this.options.maxConnections
    )
      this.dial();
  }

  private dial(): void {
    this.dialling++;
    let cancel: (() => void) | undefined;
    let finished = false;
    cancel = this.options.dial((error, socket) => {
      finished = true;
      if (cancel !== undefined) this.dials.delete(cancel);
      this.dialling--;
      if (socket === undefined) {
        // Each failed dial answers one: the others' own dials may succeed.
        this.waiting.take()?.attempt.attemptFailed(error ?? proxyError('CONNECT_FAILED', 'connect'));
        return;
      }
      const connection = new Http1ClientConnection(socket, this.context);
      this.all.add(connection);
      this.onIdle(connection);
    });
    if (!finished) this.dials.add(cancel);
  }

  private onIdle(connection: Http1ClientConnection): void {
    const next = this.waiting.take();
    if (next !== undefined)
      next.attempt.forwardTo(connection.request(next.attempt, next.head, next.volatile, next.attempt.headOnly));
    else if (this.draining) connection.close();
    else this.idle.push(connection);
  }

  private onClose(connection: Http1ClientConnection): void {
    this.all.delete(connection);
    const at = this.idle.lastIndexOf(connection);
    if (at >= 0) this.idle.splice(at, 1);
    this.dialForWaiting();
  }

  drain(): void {
    this.draining = true;
    for (const cancel of this.dials) cancel();
    this.dials.clear();
    this.waiting.failAll(proxyError('CONNECT_FAILED', 'endpoint_gone'));
    for (const connection of this.idle.splice(0)) connection.close();
  }

  close(): void {
    this.drain();
    for (const connection of [...this.all]) connection.close();
  }
}
