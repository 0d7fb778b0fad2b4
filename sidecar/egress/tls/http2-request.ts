import { type ClientHttp2Stream, constants } from 'node:http2';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, NO_FIELDS } from '../../protocol/head.ts';
import type { Upstream } from '../../protocol/stream.ts';
import type { Attempt } from '../../upstream/transport.ts';
import { failureOf } from './failure.ts';
import { type RawFields, responseHead, trailersOf } from './fields.ts';
import { READ_AHEAD_BYTES } from './read-ahead.ts';

const NOTHING = Buffer.alloc(0);
const BAD_ANSWER = proxyError('UPSTREAM_PROTOCOL', 'bad_answer');
const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_REFUSED_STREAM } = constants;

/** One HTTP/2 request and its answer, on a stream of a session that http2-wrapper keeps. Lives until the answer is whole. */
export class Http2Request implements Upstream {
  private readonly attempt: Attempt;
  private readonly stream: ClientHttp2Stream;
  private readonly session: ClientHttp2Stream['session'];
  private over = false;
  private answerTrailers: FieldList = NO_FIELDS;
  private requestTrailers: FieldList = NO_FIELDS;
  private cause: Error | undefined = undefined;
  /** Bytes of the answer that were not passed on yet. */
  private unread = 0;

  constructor(attempt: Attempt, stream: ClientHttp2Stream) {
    this.attempt = attempt;
    this.stream = stream;
    this.session = stream.session;
    // The third argument is not in the types.
    const onResponse = (headers: { ':status'?: number | undefined }, flags: number, raw?: RawFields): void =>
      this.onResponse(headers[':status'] ?? 0, flags, raw ?? []);
    stream
      .on('response', onResponse)
      .on('headers', (headers, _flags) => this.onInformational(headers[':status'] ?? 0, headers))
      .on('trailers', (_headers, _flags, raw?: RawFields) => (this.answerTrailers = trailersOf(raw ?? [])))
      .on('data', (chunk: Buffer) => this.onData(chunk))
      .on('end', () => this.onEnd())
      .on('wantTrailers', () => stream.sendTrailers(toObject(this.requestTrailers)))
      .on('error', (error: Error) => (this.cause = error))
      .on('close', () => this.lose(this.failure()));
  }

  private onInformational(status: number, headers: object): void {
    const raw = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
    const answer = responseHead(status, raw);
    if (!this.over && answer !== undefined) this.attempt.informational(answer.head);
  }

  private onResponse(status: number, flags: number, raw: RawFields): void {
    if (this.over) return;
    const answer = responseHead(status, raw);
    if (answer === undefined) return this.lose(BAD_ANSWER);
    const end = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    this.over = end;
    this.attempt.responseHead(answer.head, answer.volatile, end);
  }

  private onData(chunk: Buffer): void {
    if (this.over) return;
    this.unread += chunk.length;
    if (this.unread >= READ_AHEAD_BYTES) this.stream.pause();
    this.attempt.responseData(chunk, false);
  }

  private onEnd(): void {
    // A stream that was reset ends too.
    if (this.over || this.stream.rstCode !== 0 || this.stream.aborted) return;
    this.over = true;
    if (this.answerTrailers.length > 0) this.attempt.responseTrailers(this.answerTrailers);
    else this.attempt.responseData(NOTHING, true);
  }

  private failure(): ProxyError {
    const { rstCode } = this.stream;
    // Node says CANCEL where the whole connection went.
    if (this.session?.destroyed !== false || rstCode === 0) return failureOf(this.cause, true);
    if (rstCode === NGHTTP2_REFUSED_STREAM) return proxyError('REFUSED', 'refused_stream');
    return { ...proxyError('UPSTREAM_RESET', 'stream_reset', `http2 error ${rstCode}`), http2Code: rstCode };
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (this.over || this.stream.writableEnded) return;
    if (chunk.length > 0)
      this.stream.write(chunk, error => {
        if (error == null && !this.over) this.attempt.requestConsumed(chunk.length);
      });
    if (end) this.stream.end();
  }

  sendTrailers(trailers: FieldList): void {
    this.requestTrailers = trailers;
    this.sendData(NOTHING, true);
  }

  reset(): void {
    this.over = true;
    this.stream.close(NGHTTP2_CANCEL);
  }

  responseConsumed(bytes: number): void {
    this.unread -= bytes;
    if (!this.over && this.stream.isPaused() && this.unread < READ_AHEAD_BYTES / 2) this.stream.resume();
  }

  private lose(error: ProxyError): void {
    if (this.over) return;
    this.reset();
    this.attempt.responseReset(error);
  }
}

/** A list of fields as `node:http2` takes them: a name that comes several times has a list. */
export const toObject = (list: FieldList): Record<string, string[]> => {
  const fields = new Map<string, string[]>();
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string;
    const value = list[i + 1] as string;
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return Object.fromEntries(fields);
};
