import type { Duplex } from 'node:stream';
import { proxyError } from '../../errors/proxy-error.ts';
import type { FieldList, RequestHead } from '../head.ts';
import type { BufferAccount, ResponseSink, Upstream } from '../stream.ts';
import { Http1ClientStream } from './client-stream.ts';
import { type Http1Fault, responseFault } from './faults.ts';
import { Input, type InputReader } from './input.ts';
import { MAX_INFORMATIONAL } from './limits.ts';
import { BodyReader } from './read-body.ts';
import { HeadReader } from './read-head.ts';
import { resetSocket } from './reset-socket.ts';
import type { DecodedResponse, Http1ResponseHeads } from './response-heads.ts';
import { beginRequest } from './write-head.ts';
import { MessageWriter } from './write-message.ts';

/** What all connections of one pool share. */
export interface Http1ClientContext {
  readonly heads: Http1ResponseHeads;
  readonly account: BufferAccount;
  /** The exchange is over and the connection takes another one. */
  onIdle(connection: Http1ClientConnection): void;
  /** Once; the connection is gone, or will be soon and must not be used any more. */
  onClose(connection: Http1ClientConnection): void;
}

/**
 * idle → head (a request was begun; waits for its response head) → body → idle …
 * raw: an Upgrade was granted. closed: of no more use; what still comes in is dropped.
 */
type State = 'idle' | 'head' | 'body' | 'raw' | 'closed';

/**
 * The client side of one HTTP/1 connection, one exchange at a time. The socket is connected (or was asked to) and was made
 * with `allowHalfOpen: true`. Owned by its pool.
 */
export class Http1ClientConnection implements InputReader {
  readonly reader: BodyReader;
  readonly writer: MessageWriter;
  private state: State = 'idle';
  private stream: Http1ClientStream | undefined = undefined;
  /** The server lets the connection live after the response that is being read. */
  private keepAlive = false;
  private informational = 0;
  private readonly input: Input;
  private readonly headReader: HeadReader<DecodedResponse>;
  private cause = '';
  /** The kernel refused the first bytes of the request: nobody saw it. */
  private unsent = false;
  private readonly socket: Duplex;
  private readonly context: Http1ClientContext;

  constructor(socket: Duplex, context: Http1ClientContext) {
    this.socket = socket;
    this.context = context;
    this.input = new Input(socket, context.account, this);
    this.headReader = new HeadReader(context.heads);
    this.reader = new BodyReader(context.account);
    this.writer = new MessageWriter(socket, context.account, bytes => this.stream?.written(bytes));
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('drain', this.onDrain);
    socket.on('error', this.onError);
    socket.on('close', this.onSocketClose);
  }

  /** True: `request` may be called. */
  get idle(): boolean {
    return this.state === 'idle';
  }

  /** Begins an exchange. On a connection that just closed it is reset as `not-sent`. */
  request(sink: ResponseSink, head: RequestHead, volatile: FieldList, end: boolean): Upstream {
    const stream = new Http1ClientStream(this, sink, head.method, head.protocol);
    if (this.state !== 'idle' || this.socket.destroyed) {
      stream.lose(proxyError('UPSTREAM_CLOSED', 'connection_closed', this.cause, 'not-sent'));
      return stream;
    }
    if (!beginRequest(this.writer, head, volatile, end)) {
      stream.lose(proxyError('DOWNSTREAM_PROTOCOL', 'head_not_writable', '', 'never'));
      this.context.onIdle(this);
      return stream;
    }
    this.stream = stream;
    this.state = 'head';
    this.informational = 0;
    return stream;
  }

  /** Closes at once; an open exchange is reset. */
  close(): void {
    this.lose('connection_closed');
  }

  /** The exchange does not want the rest: the connection can't be used any more. */
  abandon(): void {
    this.stream = undefined;
    if (this.state === 'raw') {
      this.writer.flush();
      resetSocket(this.socket);
    }
    this.retire();
  }

  /** The sink has passed on so much of the response body. */
  consumed(bytes: number): void {
    this.reader.consumed(bytes);
    this.input.proceed();
  }

  /** The raw direction to the server has ended. */
  endRaw(): void {
    this.writer.end();
  }

  private readonly onData = (chunk: Buffer): void => this.input.push(chunk);

  private readonly onDrain = (): void => this.writer.drained();

  private readonly onError = (error: Error): void => {
    this.cause = 'code' in error ? String(error.code) : error.message;
    this.unsent = 'syscall' in error && error.syscall === 'write' && this.writer.firstWrite;
  };

  private readonly onEnd = (): void => {
    if (this.state === 'raw') {
      this.reader.end();
      return;
    }
    this.keepAlive = false;
    if (this.state === 'body' && this.reader.end()) this.complete();
    else this.lose(this.state === 'body' ? 'body_cut_short' : 'connection_ended');
  };

  private readonly onSocketClose = (): void => this.lose('connection_lost');

  /** Of `InputReader`. */
  get wantsMore(): boolean {
    return this.state === 'head';
  }

  /** Of `InputReader`. */
  settled(_waiting: boolean): void {
    if (this.state === 'body' && this.reader.state === 'over') this.complete();
  }

  /** Of `InputReader`. */
  read(chunk: Buffer, at: number): number {
    switch (this.state) {
      case 'idle':
        // A server that speaks without being asked: whatever it means, the next answer could not be told from it.
        this.fail('unexpected_bytes');
        return chunk.length;
      case 'head':
        return this.readHead(chunk, at);
      case 'body':
      case 'raw':
        return this.readBody(chunk, at);
      case 'closed':
        return chunk.length;
    }
  }

  private readBody(chunk: Buffer, at: number): number {
    const { reader } = this;
    if (reader.state === 'over') {
      // Bytes after the response: it was whole, but the connection is of no more use.
      this.keepAlive = false;
      this.complete();
      return chunk.length;
    }
    if (!reader.ready) return at;
    const next = reader.read(chunk, at);
    if (reader.state === 'fault') {
      this.fail(reader.fault);
      return chunk.length;
    }
    return next;
  }

  private readHead(chunk: Buffer, at: number): number {
    const decoded = this.headReader.read(chunk, at);
    if (decoded === undefined) return at;
    const fault = typeof decoded === 'string' ? decoded : this.open(decoded);
    if (fault !== undefined) this.fail(fault);
    return typeof decoded === 'string' ? chunk.length : at + decoded.bytes;
  }

  /** A response head came. RFC 9112 §6.3. */
  private open(response: DecodedResponse): Http1Fault | undefined {
    const { head, volatile, pattern, contentLength } = response;
    const stream = this.stream!;
    const { status } = head;
    if (status === 101) {
      if (stream.protocol === '') return 'unexpected_101';
      this.state = 'raw';
      this.reader.begin('close', 0, stream);
      stream.beginRaw(head, volatile);
      return undefined;
    }
    if (status < 200) {
      if (++this.informational > MAX_INFORMATIONAL) return 'too_many_informational';
      stream.informational(head);
      return undefined;
    }
    // The server went on without the Upgrade, or means to have granted it: what follows could be read in two ways.
    if (stream.protocol !== '' && status < 300) return 'upgrade_ignored';
    this.state = 'body';
    const none = stream.method === 'HEAD' || status === 204 || status === 304 || contentLength === 0;
    const kind = pattern.chunked ? 'chunked' : contentLength > 0 ? 'length' : 'close';
    this.keepAlive = pattern.keepAlive && (none || kind !== 'close');
    if (!none) this.reader.begin(kind, contentLength, stream);
    stream.head(head, volatile, none);
    return undefined;
  }

  /** The response is whole. */
  private complete(): void {
    this.stream = undefined;
    this.reader.abandon();
    if (!this.keepAlive || !this.writer.over) {
      this.retire();
      return;
    }
    this.state = 'idle';
    this.context.onIdle(this);
  }

  private fail(fault: Http1Fault): void {
    const { stream } = this;
    this.stream = undefined;
    stream?.lose(responseFault(fault));
    this.retire();
  }

  private lose(detail: string): void {
    const { stream } = this;
    this.stream = undefined;
    const retry = this.unsent || !this.writer.started ? 'not-sent' : 'if-idempotent';
    stream?.lose(proxyError('UPSTREAM_CLOSED', detail, this.cause, retry));
    this.retire();
  }

  /** The connection is of no more use. */
  private retire(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.input.close();
    this.reader.abandon();
    this.writer.close();
    this.socket.destroy();
    this.context.onClose(this);
  }
}
