import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import type { Upstream } from '../../protocol/stream.ts';
import { failureOf } from './failure.ts';
import { type RawFields, responseHead, trailersOf } from './fields.ts';
import type { Place } from './place.ts';
import { READ_AHEAD_BYTES } from './read-ahead.ts';

const NOTHING = Buffer.alloc(0);
const BAD_ANSWER = proxyError('UPSTREAM_PROTOCOL', 'bad_answer');

/** One HTTP/1.1 request and its answer, as undici carries it. Lives until the answer is whole. */
export class Http1Request implements Upstream, Dispatcher.DispatchHandler {
  /** The body as undici reads it; null: there is none. */
  readonly body: Readable | null;
  private readonly place: Place;
  private controller: Dispatcher.DispatchController | undefined = undefined;
  private over = false;
  /** The answer has no body, or its end has come. */
  private answered = false;
  /** Bytes of the answer that were not passed on yet. */
  private unread = 0;

  constructor(place: Place) {
    this.place = place;
    // What was not written yet waits in there: no more than the caller's window.
    this.body = place.attempt.headOnly ? null : new Readable({ read: () => {} }).on('error', ignore);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.place.leave()) this.place.attempt.forwardTo(this, false);
    else this.reset();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.over) return;
    const { attempt, head } = this.place;
    const answer = responseHead(status, rawOf(controller.rawHeaders));
    if (answer === undefined) return this.lose(BAD_ANSWER);
    if (status < 200) return attempt.informational(answer.head);
    this.answered = head.method === 'HEAD' || status === 204 || status === 304;
    attempt.responseHead(answer.head, answer.volatile, this.answered);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.over) return;
    this.unread += chunk.length;
    if (this.unread >= READ_AHEAD_BYTES) controller.pause();
    this.place.attempt.responseData(chunk, false);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const trailers = trailersOf(rawOf(controller.rawTrailers));
    if (this.over) return;
    this.over = true;
    if (this.answered) return;
    if (trailers.length > 0) this.place.attempt.responseTrailers(trailers);
    else this.place.attempt.responseData(NOTHING, true);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    const sent = this.controller !== undefined;
    if (sent) this.lose(failureOf(error, true));
    else if (this.place.leave()) this.place.attempt.attemptFailed(failureOf(error, false));
  }

  onBodySent(chunk: Buffer): void {
    if (!this.over) this.place.attempt.requestConsumed(chunk.length);
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (chunk.length > 0) this.body?.push(chunk);
    if (end) this.body?.push(null);
  }

  /** undici has no way to send them, and a server must do without (RFC 9110 §6.5.1). */
  sendTrailers(): void {
    this.body?.push(null);
  }

  reset(): void {
    if (this.over) return;
    this.over = true;
    this.controller?.abort(new Error('abandoned'));
  }

  responseConsumed(bytes: number): void {
    this.unread -= bytes;
    if (!this.over && this.controller?.paused === true && this.unread < READ_AHEAD_BYTES / 2) this.controller.resume();
  }

  private lose(error: ProxyError): void {
    if (this.over) return;
    this.reset();
    this.place.attempt.responseReset(error);
  }
}

/** By HTTP/1.1 undici gives them as a list. */
const rawOf = (raw: Dispatcher.DispatchController['rawHeaders']): RawFields => (Array.isArray(raw) ? raw : []);

const ignore = (): void => {};
