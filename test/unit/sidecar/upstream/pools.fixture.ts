/** Dials that the test answers, and attempts that write down what becomes of them. */
import { Duplex } from 'node:stream';
import type { CircuitBreakerView } from '../../../../api/snapshot.ts';
import { BufferBudget } from '../../../../sidecar/buffer-budget.ts';
import { type ProxyError, proxyError } from '../../../../sidecar/errors/proxy-error.ts';
import type { LinkValidity } from '../../../../sidecar/identity/link-validity.ts';
import type { ResponseHead } from '../../../../sidecar/protocol/head.ts';
import type { Upstream } from '../../../../sidecar/protocol/stream.ts';
import type { Attempt, Dial } from '../../../../sidecar/upstream/transport.ts';

export const limits = (changes: Partial<CircuitBreakerView> = {}): CircuitBreakerView => ({
  maxConnections: 10,
  maxPendingRequests: 10,
  maxRequests: 10,
  maxRetries: 10,
  ...changes,
});

/** A socket whose other end is the test. */
export class FakeSocket extends Duplex {
  written = '';
  constructor() {
    super({ allowHalfOpen: true });
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString('latin1');
    done();
  }
  override _final(done: () => void): void {
    done();
  }
  /** The server says this, at once. */
  answer(bytes: string | Buffer): void {
    this.emit('data', Buffer.from(bytes as string, 'latin1'));
  }
}

/** Dials by hand: each waits until the test connects or fails it. */
export const manualDial = () => {
  const open: { readonly done: Parameters<Dial>[0] }[] = [];
  const dials = {
    made: 0,
    cancelled: 0,
    get pending(): number {
      return open.length;
    },
    dial: (done => {
      const entry = { done };
      dials.made++;
      open.push(entry);
      return () => {
        dials.cancelled++;
        open.splice(open.indexOf(entry), 1);
      };
    }) satisfies Dial as Dial,
    connect: (validity?: LinkValidity): FakeSocket => {
      const socket = new FakeSocket();
      open.shift()?.done(undefined, socket, validity);
      return socket;
    },
    fail: (error: ProxyError = proxyError('CONNECT_FAILED', 'connection_refused')): void => {
      open.shift()?.done(error, undefined);
    },
  };
  return dials;
};

export class FakeAttempt implements Attempt {
  readonly headOnly = true;
  readonly wantsFresh: boolean;
  readonly said: string[] = [];
  upstream: Upstream | undefined = undefined;
  used: boolean | undefined = undefined;

  constructor(wantsFresh = false) {
    this.wantsFresh = wantsFresh;
  }
  forwardTo(upstream: Upstream, used: boolean): void {
    this.upstream = upstream;
    this.used = used;
    this.said.push('forwarded');
  }
  attemptFailed(error: ProxyError): void {
    this.said.push(`failed ${error.code} ${error.detail}`);
  }
  informational(): void {}
  responseHead(head: ResponseHead, _volatile: readonly string[], end: boolean): void {
    this.said.push(`head ${head.status}${end ? ' end' : ''}`);
  }
  responseData(): void {}
  responseTrailers(): void {}
  responseReset(error: ProxyError): void {
    this.said.push(`reset ${error.code} ${error.detail}`);
  }
  requestConsumed(): void {}
}

export const account = (): BufferBudget => new BufferBudget();
/** Several turns of the event loop. */
export const turns = async (count = 4): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve));
};
