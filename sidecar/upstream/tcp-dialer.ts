import { proxyError } from '../errors/proxy-error.ts';
import type { BufferAccount } from '../protocol/stream.ts';
import { TcpClientConnection } from '../protocol/tcp/forward.ts';
import type { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { Attempt, Dial, Transport } from './transport.ts';

export interface TcpDialerOptions {
  readonly dial: Dial;
  readonly breaker: CircuitBreaker;
  readonly account: BufferAccount;
}

/** Raw TCP: a connection of its own for each exchange. Owned by its address's transports; lives as long as its endpoint. */
export class TcpDialer implements Transport {
  private readonly options: TcpDialerOptions;
  private readonly dials = new Map<Attempt, () => void>();
  private readonly open = new Set<TcpClientConnection>();

  constructor(options: TcpDialerOptions) {
    this.options = options;
  }

  get connections(): number {
    return this.open.size;
  }

  send(attempt: Attempt): void {
    const { breaker } = this.options;
    if (!breaker.take('connections')) {
      attempt.attemptFailed(proxyError('OVERFLOW', 'connections'));
      return;
    }
    let finished = false;
    const cancel = this.options.dial((error, socket) => {
      finished = true;
      this.dials.delete(attempt);
      if (socket === undefined) {
        breaker.give('connections');
        attempt.attemptFailed(error ?? proxyError('CONNECT_FAILED', 'connect'));
        return;
      }
      const connection: TcpClientConnection = new TcpClientConnection(socket, attempt, this.options.account, () => {
        this.open.delete(connection);
        breaker.give('connections');
      });
      this.open.add(connection);
      attempt.forwardTo(connection, false);
      connection.begin();
    });
    if (!finished) this.dials.set(attempt, cancel);
  }

  forget(attempt: Attempt): void {
    const cancel = this.dials.get(attempt);
    if (cancel === undefined) return;
    cancel();
    this.dials.delete(attempt);
    this.options.breaker.give('connections');
  }

  drain(): void {
    for (const attempt of [...this.dials.keys()]) {
      this.forget(attempt);
      attempt.attemptFailed(proxyError('CONNECT_FAILED', 'endpoint_gone'));
    }
  }

  close(): void {
    this.drain();
    for (const connection of [...this.open]) connection.reset(proxyError('UPSTREAM_CLOSED', 'sidecar_stopped'));
  }
}
