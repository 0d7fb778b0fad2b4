import type { Duplex } from 'node:stream';
import type { ProxyError } from '../errors/proxy-error.ts';
import type { LinkValidity } from '../identity/link-validity.ts';
import type { FieldList, RequestHead } from '../protocol/head.ts';
import type { ResponseSink, Upstream } from '../protocol/stream.ts';

/** An attempt that wants a connection. The exchange is one. */
export interface Attempt extends ResponseSink {
  /** The request head is all there is to send. */
  readonly headOnly: boolean;
  /** It must go out on a connection that no exchange has used, where a connection carries one at a time. */
  readonly wantsFresh: boolean;
  /** The head is out; the rest of the request goes there. `used`: on a connection that was idle, which may have been closed meanwhile. */
  forwardTo(upstream: Upstream, used: boolean): void;
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

/** `validity`: of a connection with certificates. */
export type DialDone = (error: ProxyError | undefined, socket: Duplex | undefined, validity?: LinkValidity) => void;

/** Makes one connection. Calls back exactly once unless cancelled by the function that it returns. */
export type Dial = (done: DialDone) => () => void;
