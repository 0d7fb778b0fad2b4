/**
 * The four ends of an exchange, as the codecs and the exchange see each other.
 *
 *   server codec ──RequestSink──▶ exchange ──Upstream──▶ client codec
 *   server codec ◀──Downstream── exchange ◀─ResponseSink── client codec
 *
 * Rules, for every implementation:
 * - After `end`, trailers or a reset nothing more comes in that direction. A second call is ignored, never an error.
 * - Flow control is by credit. A source may deliver what its window allows (64 KiB at first); `…Consumed(bytes)` gives it as
 *   many bytes again, once the sink has passed them on. A sink never refuses data and never pauses anyone.
 * - A chunk belongs to whoever got it, who may keep it but not write to it.
 * - Calls may be re-entrant: `responseHead` may arrive inside `request()`.
 */
import type { ProxyError } from '../errors/proxy-error.ts';
import type { FieldList, RequestHead, ResponseHead } from './head.ts';

/** What a server codec tells the exchange about the request it is reading. */
export interface RequestSink {
  /** The sink that gets what this one is told, where this one only reads along. */
  readonly behind?: RequestSink | undefined;
  requestData(chunk: Buffer, end: boolean): void;
  /** Ends the request. */
  requestTrailers(trailers: FieldList): void;
  /** The caller gave up, or broke the protocol. */
  requestReset(error: ProxyError): void;
  /** So many bytes of the response body were written out. */
  responseConsumed(bytes: number): void;
}

/** What the exchange tells a server codec: the answer. */
export interface Downstream {
  /** 1xx other than 101. */
  sendInformational(head: ResponseHead): void;
  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void;
  sendData(chunk: Buffer, end: boolean): void;
  sendTrailers(trailers: FieldList): void;
  /** The answer can't be completed: HTTP/2 resets the stream, HTTP/1 closes the connection. */
  reset(error: ProxyError): void;
  /** So many bytes of the request body were passed on. */
  requestConsumed(bytes: number): void;
}

/** What a client codec tells the exchange. */
export interface ResponseSink {
  informational(head: ResponseHead): void;
  responseHead(head: ResponseHead, volatile: FieldList, end: boolean): void;
  responseData(chunk: Buffer, end: boolean): void;
  responseTrailers(trailers: FieldList): void;
  responseReset(error: ProxyError): void;
  requestConsumed(bytes: number): void;
}

/** What the exchange tells a client codec: the rest of the request of one attempt. */
export interface Upstream {
  sendData(chunk: Buffer, end: boolean): void;
  sendTrailers(trailers: FieldList): void;
  /** The exchange no longer wants the answer. */
  reset(error: ProxyError): void;
  responseConsumed(bytes: number): void;
}

/** What every server codec is given: it calls this once for each request head that is complete and valid. */
export type OnRequest = (downstream: Downstream, head: RequestHead, volatile: FieldList, end: boolean) => RequestSink;

/** The sidecar's one account of buffered bytes (`buffer-budget.ts`), as codecs see it. */
export interface BufferAccount {
  /** So many received bytes wait here. */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** True while less than half of the budget is in use. */
  readonly roomToGrow: boolean;
}

/** The same account for codecs whose windows grow: what a window allows may come in at once. */
export interface WindowAccount extends BufferAccount {
  /** Reserves `bytes` for a larger window; false: windows have grown enough. */
  reserve(bytes: number): boolean;
  unreserve(bytes: number): void;
}
