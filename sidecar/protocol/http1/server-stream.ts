import type { ProxyError } from '../../errors/proxy-error.ts';
import type { FieldList, ResponseHead } from '../head.ts';
import type { Downstream, RequestSink } from '../stream.ts';
import type { BodySink } from './read-body.ts';
import type { Http1Version } from './request-heads.ts';
import type { Http1ServerConnection } from './serve.ts';
import { beginResponse, informationalText } from './write-head.ts';

const NOTHING = Buffer.alloc(0);

/** One request and its answer on a server connection. Lives until its answer is written; what is called later does nothing. */
export class Http1ServerStream implements Downstream, BodySink {
  readonly method: string;
  readonly version: Http1Version;
  readonly protocol: string;
  /** The final head of the answer was written. */
  answered = false;
  private readonly connection: Http1ServerConnection;
  private readonly clientKeepsAlive: boolean;
  sink: RequestSink | undefined = undefined;
  private closed = false;
  private keepAlive = false;
  /** The answer has no body on this connection (HEAD, 204, 304): what comes of it all the same is passed over. */
  private dropsBody = false;
  /** Written before the sink was known. */
  private writtenEarly = 0;
  private lostEarly: ProxyError | undefined = undefined;

  constructor(
    connection: Http1ServerConnection,
    method: string,
    protocol: string,
    from: { readonly version: Http1Version; readonly keepAlive: boolean },
  ) {
    this.connection = connection;
    this.method = method;
    this.protocol = protocol;
    this.version = from.version;
    this.clientKeepsAlive = from.keepAlive;
  }

  /** The exchange was made. It may have answered already. */
  open(sink: RequestSink): void {
    this.sink = sink;
    if (this.writtenEarly > 0) sink.responseConsumed(this.writtenEarly);
    if (this.lostEarly !== undefined) sink.requestReset(this.lostEarly);
  }

  bodyData(chunk: Buffer, end: boolean): void {
    this.sink?.requestData(chunk, end);
  }

  bodyTrailers(trailers: FieldList): void {
    this.sink?.requestTrailers(trailers);
  }

  written(bytes: number): void {
    if (this.sink === undefined) this.writtenEarly += bytes;
    else this.sink.responseConsumed(bytes);
  }

  /** The client is gone, or broke the rules. */
  lose(error: ProxyError): void {
    if (this.closed) return;
    this.closed = true;
    const { reader, writer } = this.connection;
    const whole = this.answered && writer.over && reader.state === 'over';
    reader.abandon();
    if (whole) return;
    if (this.sink === undefined) this.lostEarly = error;
    else this.sink.requestReset(error);
  }

  sendInformational(head: ResponseHead): void {
    if (this.closed || this.answered || this.version === '1.0') return;
    this.connection.writer.interim(informationalText(head));
  }

  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    if (this.closed || this.answered) return;
    this.answered = true;
    const { connection, protocol } = this;
    const { reader, writer } = connection;
    const whole = reader.state === 'over';
    this.keepAlive = this.clientKeepsAlive && whole && !connection.draining;
    const granted = head.status === 101;
    if ((granted && protocol === '') || !beginResponse(writer, this, head, volatile, end, this.keepAlive)) {
      this.abort();
      return;
    }
    if (granted) {
      connection.beginRaw(this);
      if (end) this.sendData(NOTHING, true);
      return;
    }
    this.dropsBody = !end && writer.over;
    // An Upgrade that was not granted: the request ends with its head.
    if (protocol !== '') this.sink?.requestData(NOTHING, true);
    this.finishIfOver();
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (this.dropsBody && chunk.length > 0) this.written(chunk.length);
    if (this.closed || !this.answered) return;
    if (this.connection.writer.data(chunk, end)) this.finishIfOver();
    else this.abort();
  }

  sendTrailers(trailers: FieldList): void {
    if (this.closed || !this.answered) return;
    if (this.connection.writer.trailers(trailers)) this.finishIfOver();
    else this.abort();
  }

  reset(_error: ProxyError): void {
    if (!this.closed) this.abort();
  }

  requestConsumed(bytes: number): void {
    if (!this.closed) this.connection.consumed(bytes);
  }

  private finishIfOver(): void {
    const { connection } = this;
    if (!connection.writer.over) return;
    if (!connection.raw) this.closed = true;
    connection.finished(this.keepAlive);
  }

  private abort(): void {
    this.closed = true;
    this.connection.reader.abandon();
    this.connection.abort();
  }
}
