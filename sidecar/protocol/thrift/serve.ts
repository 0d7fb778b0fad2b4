import type { Duplex } from 'node:stream';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { NO_FIELDS, type RequestHead } from '../head.ts';
import { Input, type InputReader } from '../http1/input.ts';
import { resetSocket } from '../http1/reset-socket.ts';
import type { BufferAccount, OnRequest, RequestSink } from '../stream.ts';
import { applicationException, PROTOCOL_ERROR } from './application-exception.ts';
import type { CallHeads } from './call-heads.ts';
import { CreditedWriter } from './credited-writer.ts';
import { ONEWAY, REPLY, type ThriftFault, type ThriftProtocol } from './message-head.ts';
import { MessageEnd, type MessageStart, parseMessageStart, type ThriftTransport } from './message-reader.ts';
import { ReplyOrder } from './reply-order.ts';
import { type CallOwner, ThriftServerCall } from './server-call.ts';
import { Window } from './window.ts';

export interface ThriftServerOptions {
  readonly transport: ThriftTransport;
  readonly protocol: ThriftProtocol;
  /** The service that the listener stands for. */
  readonly authority: string;
  readonly heads: CallHeads;
  /** Calls with this head get no reply, although their messages do not say so. */
  readonly isOneway: (head: RequestHead) => boolean;
  /** Most calls that are under way at once. 1: the next one is read when the one before was answered. */
  readonly maxParallel: number;
  readonly account: BufferAccount;
  readonly onRequest: OnRequest;
  readonly onProtocolError: (error: ProxyError) => void;
  readonly onClose: () => void;
}

/**
 * start (a call begins, or its beginning is incomplete) → body (its struct is read) → answer (as many as may are under way; an answer is awaited) →
 * start … closed: what still comes is dropped.
 */
type State = 'start' | 'body' | 'answer' | 'closed';

/**
 * The server's side of a Thrift client's connection. Each call is an exchange; by default they keep their order, so the next one is read when the
 * one before was answered (oneway: was passed on). Owned by the accepted connections; ends with its socket.
 */
export class ThriftServerConnection implements InputReader, CallOwner {
  private state: State = 'start';
  /** The one that is read. */
  private call: ThriftServerCall | undefined = undefined;
  /** Whole ones whose answers are not out. */
  private readonly open = new Set<ThriftServerCall>();
  private end: MessageEnd | undefined = undefined;
  private draining = false;
  /** The caller has ended its direction. */
  private ended = false;
  private readonly socket: Duplex;
  private readonly options: ThriftServerOptions;
  private readonly input: Input;
  private readonly writer: CreditedWriter;
  private readonly replies: ReplyOrder<ThriftServerCall>;

  constructor(socket: Duplex, options: ThriftServerOptions) {
    this.socket = socket;
    this.options = options;
    this.input = new Input(socket, options.account, this);
    this.writer = new CreditedWriter(socket, bytes => this.replies.current?.sink?.responseConsumed(bytes));
    this.replies = new ReplyOrder(
      (chunk, credit) => this.writer.write(chunk, credit),
      call => this.over(call),
    );
    socket.on('data', (chunk: Buffer) => this.input.push(chunk));
    socket.on('end', () => this.onEnd());
    socket.on('drain', () => this.writer.drained());
    socket.on('error', () => this.lost());
    socket.on('close', () => {
      this.lost();
      options.onClose();
    });
  }

  /** The bytes by which the protocol was told. */
  push(bytes: Buffer): void {
    this.input.push(bytes);
    if (this.state !== 'closed') this.socket.resume();
  }

  /** The calls that it carries now. */
  get carries(): Iterable<RequestSink> {
    return this.calls().flatMap(({ sink }) => (sink === undefined ? [] : [sink]));
  }

  private calls(): readonly ThriftServerCall[] {
    return this.call === undefined || this.open.has(this.call) ? [...this.open] : [this.call, ...this.open];
  }

  drain(): void {
    this.draining = true;
    if (this.state === 'start' && this.open.size === 0) this.close();
  }

  close(): void {
    this.lost();
    this.socket.destroy();
  }

  // ---- reading calls ---------------------------------------------------------------------------------------------------

  /** Of `InputReader`. */
  get wantsMore(): boolean {
    return this.state === 'start';
  }

  /** Of `InputReader`. */
  settled(): void {
    if (this.ended && this.state === 'start' && this.open.size === 0) this.leave();
  }

  /** Of `InputReader`. */
  read(chunk: Buffer, at: number): number {
    switch (this.state) {
      case 'start':
        return this.begin(chunk, at);
      case 'body':
        return this.readBody(chunk, at);
      case 'answer':
        return at;
      case 'closed':
        return chunk.length;
    }
  }

  private begin(chunk: Buffer, at: number): number {
    const { transport, protocol, onRequest, account } = this.options;
    const start = parseMessageStart(transport, protocol, chunk, at);
    if (start === undefined) return at;
    if (typeof start === 'string') return this.refuse(start, undefined, chunk.length);
    if (start.type >= REPLY && start.type !== ONEWAY) return this.refuse('thrift_message_type', start, chunk.length);
    const { head, oneway } = this.headOf(start);
    const info = { transport, protocol: start.protocol, oneway };
    const call = new ThriftServerCall(this, start, info, new Window(account));
    this.call = call;
    this.end = new MessageEnd(start);
    this.state = 'body';
    const volatile = start.bytes < 0 ? NO_FIELDS : ['content-length', String(start.bytes)];
    call.sink = onRequest(call, head, volatile, false);
    return this.readBody(chunk, start.messageAt);
  }

  private headOf(start: MessageStart): { readonly head: RequestHead; readonly oneway: boolean } {
    const { transport, authority, heads, isOneway } = this.options;
    const said = start.type === ONEWAY;
    const head = heads.get(authority, transport, start, said);
    if (said || !isOneway(head)) return { head, oneway: said };
    return { head: heads.get(authority, transport, start, true), oneway: true };
  }

  private readBody(chunk: Buffer, at: number): number {
    const { end, call } = this;
    if (end === undefined || call === undefined) return chunk.length;
    const limit = Math.min(chunk.length, at + call.window.left);
    if (limit === at) return at;
    const next = end.pass(chunk, at, limit);
    if (end.fault !== '') return this.refuse(end.fault, call.start, chunk.length);
    const whole = end.reached;
    call.window.use(next - at);
    if (whole) {
      this.state = 'answer';
      this.open.add(call);
    }
    call.sink?.requestData(chunk.subarray(at, next), whole);
    if (whole && this.call === call) this.whole(call);
    return next;
  }

  /** The bytes break the rules: the caller is told where that is possible, and the connection ends, because nobody knows where the next call begins. */
  private refuse(fault: ThriftFault, start: MessageStart | undefined, position: number): number {
    const { transport, protocol, onProtocolError } = this.options;
    const error = proxyError('DOWNSTREAM_PROTOCOL', fault);
    const { call, replies } = this;
    if (call?.sink !== undefined) call.sink.requestReset(error);
    else onProtocolError(error);
    const writing = replies.current !== undefined && replies.current !== call;
    const text = `The message breaks the rules of Thrift. [flag=DPE detail=${fault}]`;
    if (!writing && call?.replied !== true && call?.info.oneway !== true) {
      const { name = '', sequence = 0 } = start ?? {};
      const known = start?.protocol ?? protocol;
      this.socket.end(applicationException({ transport, protocol: known, name, sequence, type: PROTOCOL_ERROR, text }));
    } else resetSocket(this.socket);
    this.finish(call);
    return position;
  }

  // ---- the answer, from the call ------------------------------------------------------------------------------------------

  write(call: ThriftServerCall, chunk: Buffer, credit: number): void {
    if (this.state !== 'closed') this.replies.write(call, chunk, credit);
  }

  requestConsumed(call: ThriftServerCall, bytes: number): void {
    if (this.state === 'closed') return;
    call.window.giveBack(bytes);
    if (this.state === 'body' && call === this.call) this.input.proceed();
  }

  answered(call: ThriftServerCall): void {
    if (this.state !== 'closed') this.replies.end(call);
  }

  abort(call: ThriftServerCall): void {
    this.finish(call);
    resetSocket(this.socket);
  }

  /** The call was read. If its answer is out already, or others may be under way beside it, the next one is read. */
  private whole(call: ThriftServerCall): void {
    if (call.answered) {
      this.open.delete(call);
      call.window.close();
    }
    if (this.open.size < this.options.maxParallel) this.nextCall();
  }

  /** The answer is out. What is left of a call that was answered early is read and dropped. */
  private over(call: ThriftServerCall): void {
    this.writer.drained();
    call.answered = true;
    if (!this.open.delete(call)) return;
    call.window.close();
    if (this.state === 'answer' && this.open.size < this.options.maxParallel) this.nextCall();
    else if (this.state === 'start') this.leaveIfDone();
  }

  private nextCall(): void {
    this.call = undefined;
    this.end = undefined;
    this.state = 'start';
    if (!this.leaveIfDone() && !this.draining) this.input.proceed();
  }

  /** Nothing is under way, and nothing more will come. */
  private leaveIfDone(): boolean {
    const done = this.open.size === 0 && (this.draining || (this.ended && !this.input.waiting));
    if (done) this.leave();
    return done;
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------

  private onEnd(): void {
    this.ended = true;
    const calls = this.calls();
    if (calls.length > 0 && calls.every(call => this.open.has(call) && call.info.oneway)) return;
    // As in HTTP/1: who ends the connection in the middle of a call has gone.
    this.finish(undefined, 'connection_ended');
    this.socket.end();
  }

  /** Everything was said. */
  private leave(): void {
    this.finish();
    this.socket.end();
  }

  private lost(): void {
    this.finish();
  }

  /** The calls that are under way are reset, but for `except`, which knows. */
  private finish(except?: ThriftServerCall, detail = 'connection_lost'): void {
    if (this.state === 'closed') return;
    const calls = this.calls();
    this.state = 'closed';
    this.input.close();
    this.call = undefined;
    this.open.clear();
    for (const call of calls) {
      call.window.close();
      if (call !== except && !call.over) call.sink?.requestReset(proxyError('DOWNSTREAM_RESET', detail));
    }
  }
}
