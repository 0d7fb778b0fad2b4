import type { Duplex } from 'node:stream';
import type { ProxyError } from '../errors/proxy-error.ts';
import type { FieldList, RequestHead } from '../protocol/head.ts';
import type { ResponseSink, Upstream } from '../protocol/stream.ts';

/** An attempt that wants a connection. The exchange is one. */
export interface Attempt extends ResponseSink {
  /** The request head is all there is to send. */
  readonly headOnly: boolean;
  /** The head is out; the rest of the request goes there. */
  forwardTo(upstream: Upstream): void;
  attemptFailed(error: ProxyError): void;
}

/** The connections to one address: the app's port, or one instance of a service. */
export interface Transport {
  /** Sends the request now, or as soon as there is a connection; ends in `forwardTo` or `attemptFailed`. */
  send(attempt: Attempt, head: RequestHead, volatile: FieldList): void;
  /** The attempt no longer waits for a connection. Harmless when it does not. */
  forget(attempt: Attempt): void;
  /** No new requests will come: connections close when what they carry has ended. */
  drain(): void;
  /** Everything ends now. */
  close(): void;
  /** Connections that are open. */
  readonly connections: number;
}

/** Makes one connection. Calls back exactly once unless cancelled by the function that it returns. */
export type Dial = (done: (error: ProxyError | undefined, socket: Duplex | undefined) => void) => () => void;

/** An attempt in line for a connection. */
export interface Waiting {
  readonly attempt: Attempt;
  readonly head: RequestHead;
  readonly volatile: FieldList;
}

/** Those in line, bounded. Owned by a transport. */
export class WaitingLine {
  private readonly line = new Map<Attempt, Waiting>();
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  get length(): number {
    return this.line.size;
  }

  /** False: the line is full. */
  add(attempt: Attempt, head: RequestHead, volatile: FieldList): boolean {
    if (this.line.size >= this.max) return false;
    this.line.set(attempt, { attempt, head, volatile });
    return true;
  }

  remove(attempt: Attempt): void {
    this.line.delete(attempt);
  }

  /** The first in line, who leaves it. */
  take(): Waiting | undefined {
    for (const [attempt, waiting] of this.line) {
      this.line.delete(attempt);
      return waiting;
    }
    return undefined;
  }

  failAll(error: ProxyError): void {
    const all = [...this.line.keys()];
    this.line.clear();
    for (const attempt of all) attempt.attemptFailed(error);
  }
}
