import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import type { FieldList, ResponseHead } from '../head.ts';
import type { ResponseSink, Upstream } from '../stream.ts';
import type { Http1ClientConnection } from './forward.ts';
import { WINDOW_BYTES } from './limits.ts';
import type { BodySink } from './read-body.ts';

const NOTHING = Buffer.alloc(0);

/** One request and its response on a client connection. Lives until its response is whole; what is called later does nothing. */
export class Http1ClientStream implements Upstream, BodySink {
  readonly method: string;
  readonly protocol: string;
  private readonly connection: Http1ClientConnection;
  private readonly sink: ResponseSink;
  private closed = false;
  /** The Upgrade was granted. */
  private raw = false;
  /** Raw bytes that came before the Upgrade was granted, no more than one window; they wait for the 101. */
  private early: Buffer[] | undefined = undefined;
  private earlyBytes = 0;
  private earlyEnd = false;

  constructor(connection: Http1ClientConnection, sink: ResponseSink, method: string, protocol: string) {
    this.connection = connection;
    this.sink = sink;
    this.method = method;
    this.protocol = protocol;
    if (protocol !== '') this.early = [];
  }

  informational(head: ResponseHead): void {
    if (!this.closed) this.sink.informational(head);
  }

  head(head: ResponseHead, volatile: FieldList, end: boolean): void {
    this.early = undefined;
    if (this.closed) return;
    this.closed = end;
    this.sink.responseHead(head, volatile, end);
  }

  /** The Upgrade was granted. */
  beginRaw(head: ResponseHead, volatile: FieldList): void {
    const { early, earlyEnd, connection } = this;
    this.early = undefined;
    this.raw = true;
    connection.writer.begin('', 'close', 0);
    this.sink.responseHead(head, volatile, false);
    for (const chunk of early ?? []) this.sendData(chunk, false);
    if (earlyEnd) this.sendData(NOTHING, true);
  }

  bodyData(chunk: Buffer, end: boolean): void {
    if (this.closed) return;
    this.closed = end && (!this.raw || this.connection.writer.over);
    this.sink.responseData(chunk, end);
  }

  bodyTrailers(trailers: FieldList): void {
    if (this.closed) return;
    this.closed = true;
    this.sink.responseTrailers(trailers);
  }

  written(bytes: number): void {
    if (!this.closed) this.sink.requestConsumed(bytes);
  }

  /** The response can't be completed. */
  lose(error: ProxyError): void {
    if (this.closed) return;
    this.closed = true;
    this.sink.responseReset(error);
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (this.closed) return;
    if (this.early !== undefined) {
      this.earlyBytes += chunk.length;
      this.earlyEnd ||= end;
      if (chunk.length > 0) this.early.push(chunk);
      if (this.earlyBytes > WINDOW_BYTES) this.fail('window_exceeded');
      return;
    }
    const { connection } = this;
    if (!connection.writer.data(chunk, end)) this.fail('body_length_mismatch');
    else if (end && this.raw) {
      this.closed = connection.reader.state === 'over';
      connection.endRaw();
    }
  }

  sendTrailers(trailers: FieldList): void {
    if (this.raw || this.early !== undefined) this.sendData(NOTHING, true);
    else if (!this.closed && !this.connection.writer.trailers(trailers)) this.fail('body_length_mismatch');
  }

  reset(_error: ProxyError): void {
    if (this.closed) return;
    this.closed = true;
    this.connection.abandon();
  }

  responseConsumed(bytes: number): void {
    if (!this.closed) this.connection.consumed(bytes);
  }

  private fail(detail: string): void {
    this.lose(proxyError('DOWNSTREAM_PROTOCOL', detail));
    this.connection.abandon();
  }
}
