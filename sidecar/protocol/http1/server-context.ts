import type { Duplex } from 'node:stream';
import type { Clock } from '../../../common/clock.ts';
import type { ProxyError } from '../../errors/proxy-error.ts';
import type { FieldList, ResponseHead } from '../head.ts';
import type { BufferAccount, OnRequest, RequestSink } from '../stream.ts';
import type { Http1RequestHeads, Http1Version } from './request-heads.ts';

/** An answer of our own to a message that the codec refused. */
export interface Http1Answer {
  readonly head: ResponseHead;
  readonly volatile: FieldList;
  readonly body: Buffer;
}

/** What all connections of one listener share. */
export interface Http1ServerContext {
  readonly heads: Http1RequestHeads;
  readonly account: BufferAccount;
  readonly clock: Clock;
  /** A head must be complete so long after its first byte. Default 60 s, as nginx's client_header_timeout. */
  readonly requestHeadTimeoutMs?: number;
  /** A connection without a request is closed after this time (at most a quarter later). Default 1 h, as Envoy's idle_timeout. */
  readonly keepAliveTimeoutMs?: number;
  /** `request`: what was made of the head before the rest broke the rules; it has been told. Undefined: nothing. */
  readonly answerError: (error: ProxyError, request: RequestSink | undefined) => Http1Answer;
}

/** What one connection reports. */
export interface Http1ServerHandler {
  readonly onRequest: OnRequest;
  /**
   * CONNECT: takes the socket over, paused and without listeners of ours. `leftover`: bytes that followed the head.
   * When it is absent CONNECT is refused as DOWNSTREAM_PROTOCOL with the detail `connect_not_allowed`.
   */
  readonly onConnect?: (socket: Duplex, authority: string, leftover: Buffer, version: Http1Version) => void;
  /** The codec has answered this error itself (`answerError`). */
  onProtocolError(error: ProxyError): void;
  /** Once; the connection is gone (not called after `onConnect`). */
  onClose(): void;
}
