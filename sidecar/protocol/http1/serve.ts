import type { Duplex } from 'node:stream';
import type { Timer } from '../../../common/clock.ts';
import { proxyError } from '../../errors/proxy-error.ts';
import { BUSY, IdleWatch } from '../idle-watch.ts';
import type { RequestSink } from '../stream.ts';
import { type Http1Fault, requestFault } from './faults.ts';
import { Input, type InputReader } from './input.ts';
import { LINGER_MS } from './limits.ts';
import { BodyReader } from './read-body.ts';
import { HeadReader } from './read-head.ts';
import type { DecodedRequest } from './request-heads.ts';
import { resetSocket } from './reset-socket.ts';
import type { Http1ServerContext, Http1ServerHandler } from './server-context.ts';
import { Http1ServerStream } from './server-stream.ts';
import { beginResponse } from './write-head.ts';
import { MessageWriter } from './write-message.ts';

export type { Http1ServerContext, Http1ServerHandler } from './server-context.ts';

const NOTHING: readonly RequestSink[] = [];
const HEAD_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 3_600_000;

/**
 * head: waits for a request head, whole or in part → body → answer → head …
 * body: reads a request body. answer: the request is read (or an Upgrade not granted yet), its answer is not written yet;
 * what comes in waits. raw: an Upgrade was granted. closing: the last answer is written, what still comes in is dropped. closed.
 */
type State = 'head' | 'body' | 'answer' | 'raw' | 'closing' | 'closed';

/** The server side of one HTTP/1 connection. The socket must have been made with `allowHalfOpen: true`. Owned by its listener. */
export class Http1ServerConnection implements InputReader {
  readonly reader: BodyReader;
  readonly writer: MessageWriter;
  draining = false;
  private state: State = 'head';
  private stream: Http1ServerStream | undefined = undefined;
  private readonly input: Input;
  private readonly headReader: HeadReader<DecodedRequest>;
  private skippedEmptyLine = false;
  private cause = '';
  private requests = 0;
  private headTimer: Timer | undefined = undefined;
  private readonly idleWatch: IdleWatch;
  private readonly socket: Duplex;
  private readonly context: Http1ServerContext;
  private readonly handler: Http1ServerHandler;

  constructor(socket: Duplex, context: Http1ServerContext, handler: Http1ServerHandler) {
    this.socket = socket;
    this.context = context;
    this.handler = handler;
    this.input = new Input(socket, context.account, this);
    this.headReader = new HeadReader(context.heads);
    this.reader = new BodyReader(context.account);
    this.writer = new MessageWriter(socket, context.account, bytes => this.stream?.written(bytes));
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('drain', this.onDrain);
    socket.on('error', this.onError);
    socket.on('close', this.onSocketClose);
    const { clock, keepAliveTimeoutMs = KEEP_ALIVE_TIMEOUT_MS } = context;
    this.idleWatch = new IdleWatch(clock, keepAliveTimeoutMs, this.activity, this.onIdle);
  }

  /** Bytes that were read before this connection was made. The connection keeps and may change them. */
  push(chunk: Buffer): void {
    this.input.push(chunk);
  }

  /** The request that it carries now. */
  get carries(): readonly RequestSink[] {
    const sink = this.stream?.sink;
    return sink === undefined ? NOTHING : [sink];
  }

  /** Finishes: the next response says `Connection: close`; closes at once when idle. */
  drain(): void {
    this.draining = true;
    if (this.state === 'head' && !this.input.waiting) this.finishConnection();
  }

  /** Closes at once; an open exchange is reset. */
  close(): void {
    const { stream } = this;
    stream?.lose(proxyError('DOWNSTREAM_RESET', 'connection_closed'));
    this.writer.flush();
    if (stream === undefined) this.socket.destroy();
    else this.abort();
  }

  /** The stream's request was granted its Upgrade: from now on both directions are raw bytes. */
  beginRaw(stream: Http1ServerStream): void {
    this.state = 'raw';
    this.reader.begin('close', 0, stream);
    this.input.proceed();
  }

  /** Both directions are raw bytes. */
  get raw(): boolean {
    return this.state === 'raw';
  }

  /** The stream's answer is written. */
  finished(keepAlive: boolean): void {
    if (this.state === 'raw') {
      this.writer.end();
      return;
    }
    this.stream = undefined;
    this.reader.abandon();
    if (!keepAlive || this.draining) {
      this.finishConnection();
      return;
    }
    this.state = 'head';
    this.input.proceed();
  }

  /** The stream's answer can't be completed. A reset, where it can be had: a mere end could pass for the end of the body. */
  abort(): void {
    this.stream = undefined;
    this.state = 'closing';
    this.writer.flush();
    resetSocket(this.socket);
  }

  /** The sink has passed on so much of the request body. */
  consumed(bytes: number): void {
    this.reader.consumed(bytes);
    this.input.proceed();
  }

  private readonly onData = (chunk: Buffer): void => this.input.push(chunk);

  private readonly onDrain = (): void => this.writer.drained();

  private readonly onError = (error: Error): void => {
    this.cause = 'code' in error ? String(error.code) : error.message;
  };

  private readonly onEnd = (): void => {
    this.writer.flush();
    if (this.state === 'raw') {
      this.reader.end();
    } else if (this.state === 'body' || this.state === 'answer') {
      this.stream?.lose(proxyError('DOWNSTREAM_RESET', 'connection_ended'));
      this.socket.destroy();
    } else if (!this.socket.writableEnded) this.socket.end();
  };

  private readonly onSocketClose = (): void => {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.cancelTimers();
    this.input.close();
    this.stream?.lose(proxyError('DOWNSTREAM_RESET', 'connection_lost', this.cause));
    this.stream = undefined;
    this.reader.abandon();
    this.writer.close();
    this.handler.onClose();
  };

  /** Of `InputReader`. */
  get wantsMore(): boolean {
    return this.state === 'head';
  }

  /** Of `InputReader`. */
  settled(waiting: boolean): void {
    if (this.state !== 'head') return;
    if (waiting) this.headTimer ??= this.startHeadTimer();
    else if (this.draining) this.finishConnection();
  }

  /** Of `InputReader`. */
  read(chunk: Buffer, at: number): number {
    switch (this.state) {
      case 'head':
        return this.readHead(chunk, at);
      case 'body':
      case 'raw':
        return this.readBody(chunk, at);
      case 'answer':
        return at;
      case 'closing':
      case 'closed':
        return chunk.length;
    }
  }

  private readBody(chunk: Buffer, at: number): number {
    const { reader } = this;
    if (!reader.ready) return at;
    const next = reader.read(chunk, at);
    if (reader.state === 'fault') {
      this.refuse(reader.fault);
      return chunk.length;
    }
    if (reader.state === 'over' && this.state === 'body') this.state = 'answer';
    return next;
  }

  private readHead(chunk: Buffer, at: number): number {
    if (chunk[at] === 13 && !this.skippedEmptyLine) return this.skipEmptyLine(chunk, at);
    const decoded = this.headReader.read(chunk, at);
    if (decoded === undefined) return at;
    if (typeof decoded === 'string') {
      this.refuse(decoded);
      return chunk.length;
    }
    this.skippedEmptyLine = false;
    this.requests++;
    this.headTimer?.cancel();
    this.headTimer = undefined;
    const next = at + decoded.bytes;
    if (decoded.head.method === 'CONNECT') {
      this.connect(decoded, chunk.subarray(next));
      return chunk.length;
    }
    this.open(decoded);
    return next;
  }

  /** RFC 9112 §2.2: one empty line before a request line is ignored. */
  private skipEmptyLine(chunk: Buffer, at: number): number {
    if (at + 1 === chunk.length) return at;
    this.skippedEmptyLine = true;
    return chunk[at + 1] === 10 ? at + 2 : at;
  }

  private open(request: DecodedRequest): void {
    const { head, volatile, pattern, contentLength } = request;
    const stream = new Http1ServerStream(this, head.method, head.protocol, pattern);
    this.stream = stream;
    const hasBody = pattern.chunked || contentLength > 0;
    this.state = hasBody ? 'body' : 'answer';
    if (hasBody) this.reader.begin(pattern.chunked ? 'chunked' : 'length', contentLength, stream);
    stream.open(this.handler.onRequest(stream, head, volatile, !hasBody && head.protocol === ''));
  }

  private connect(request: DecodedRequest, leftover: Buffer): void {
    const { socket, handler } = this;
    if (handler.onConnect === undefined) {
      this.refuse('connect_not_allowed');
      return;
    }
    this.state = 'closed';
    this.cancelTimers();
    this.input.close();
    this.writer.flush();
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('drain', this.onDrain);
    socket.off('error', this.onError);
    socket.off('close', this.onSocketClose);
    socket.pause();
    handler.onConnect(socket, request.head.authority, leftover, request.pattern.version);
  }

  /** The client broke the rules: it is told so, if no answer has begun, and the connection ends. */
  private refuse(fault: Http1Fault): void {
    const error = requestFault(fault);
    const { stream } = this;
    const answerable = stream === undefined || !stream.answered;
    this.stream = undefined;
    this.state = 'closing';
    if (stream === undefined) this.handler.onProtocolError(error);
    else stream.lose(error);
    if (!answerable) {
      this.abort();
      return;
    }
    const { head, volatile, body } = this.context.answerError(error, stream?.sink);
    const to = { version: '1.1', method: stream?.method ?? '', protocol: '' } as const;
    const end = body.length === 0;
    if (beginResponse(this.writer, to, head, volatile, end, false) && !end) this.writer.data(body, true);
    this.finishConnection();
  }

  /** Ends the connection after what was written. Reads on for a while: closing with bytes unread would destroy the answer on its way. */
  private finishConnection(): void {
    this.state = 'closing';
    this.headTimer?.cancel();
    this.reader.abandon();
    this.input.drop();
    this.writer.end(this.linger);
  }

  private readonly linger = (): void => {
    if (this.state === 'closing') this.headTimer = this.context.clock.setTimer(LINGER_MS, () => this.socket.destroy());
  };

  private readonly activity = (): number => (this.state === 'head' || this.state === 'closing' ? this.requests : BUSY);

  private readonly onIdle = (): void => {
    if (this.state === 'closing') this.socket.destroy();
    else this.finishConnection();
  };

  private startHeadTimer(): Timer {
    return this.context.clock.setTimer(this.context.requestHeadTimeoutMs ?? HEAD_TIMEOUT_MS, () => {
      this.headTimer = undefined;
      this.refuse('request_head_timeout');
    });
  }

  private cancelTimers(): void {
    this.headTimer?.cancel();
    this.idleWatch.stop();
  }
}
