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
  readonly account: BufferAccount;
  readonly onRequest: OnRequest;
  readonly onProtocolError: (error: ProxyError) => void;
  readonly onClose: () => void;
}

/**
 * start (a call begins, or its beginning is incomplete) → body (its struct is read) → answer (it is whole; its answer is awaited) → start …
 * closed: what still comes is dropped.
 */
type State = 'start' | 'body' | 'answer' | 'closed';

/**
 * The server's side of a Thrift client's connection. Each call is an exchange; they keep their order, so the next one is read when the
 * one before was answered (oneway: was passed on). Owned by the accepted connections; ends with its socket.
 */
export class ThriftServerConnection implements InputReader, CallOwner {
  private state: State = 'start';
  private call: ThriftServerCall | undefined = undefined;
  private end: MessageEnd | undefined = undefined;
  private window: Window;
  private draining = false;
  /** The caller has ended its direction. */
  private ended = false;
  private readonly socket: Duplex;
  private readonly options: ThriftServerOptions;
  private readonly input: Input;
  private readonly writer: CreditedWriter;

  constructor(socket: Duplex, options: ThriftServerOptions) {
    this.socket = socket;
    this.options = options;
    this.input = new Input(socket, options.account, this);
    this.window = new Window(options.account);
    this.writer = new CreditedWriter(socket, bytes => this.call?.sink?.responseConsumed(bytes));
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
    const sink = this.call?.sink;
    return sink === undefined ? [] : [sink];
  }

  drain(): void {
    this.draining = true;
    if (this.state === 'start') this.close();
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
    if (this.ended && this.state === 'start') this.leave();
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
    const call = new ThriftServerCall(this, start, { transport, protocol: start.protocol, oneway });
    this.call = call;
    this.end = new MessageEnd(start);
    this.window = new Window(account);
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
    const { end, call, window } = this;
    if (end === undefined || call === undefined) return chunk.length;
    const limit = Math.min(chunk.length, at + window.left);
    if (limit === at) return at;
    const next = end.pass(chunk, at, limit);
    if (end.fault !== '') return this.refuse(end.fault, call.start, chunk.length);
    const whole = end.reached;
    window.use(next - at);
    if (whole) this.state = 'answer';
    call.sink?.requestData(chunk.subarray(at, next), whole);
    if (whole && call.over && this.call === call) this.nextCall();
    return next;
  }

  /** The bytes break the rules: the caller is told where that is possible, and the connection ends, because nobody knows where the next call begins. */
  private refuse(fault: ThriftFault, start: MessageStart | undefined, position: number): number {
    const { transport, protocol, onProtocolError } = this.options;
    const error = proxyError('DOWNSTREAM_PROTOCOL', fault);
    const { call } = this;
    if (call?.sink !== undefined) call.sink.requestReset(error);
    else onProtocolError(error);
    const text = `The message breaks the rules of Thrift. [flag=DPE detail=${fault}]`;
    if (call?.replied !== true && call?.info.oneway !== true) {
      const { name = '', sequence = 0 } = start ?? {};
      const known = start?.protocol ?? protocol;
      this.socket.end(applicationException({ transport, protocol: known, name, sequence, type: PROTOCOL_ERROR, text }));
    } else resetSocket(this.socket);
    this.finish();
    return position;
  }

  // ---- the answer, from the call ------------------------------------------------------------------------------------------

  write(chunk: Buffer, credit: number): void {
    if (this.state !== 'closed') this.writer.write(chunk, credit);
  }

  requestConsumed(call: ThriftServerCall, bytes: number): void {
    if (call !== this.call) return;
    this.window.giveBack(bytes);
    if (this.state === 'body') this.input.proceed();
  }

  answered(call: ThriftServerCall): void {
    // What is left of a call that was answered early is read and dropped.
    if (call === this.call && this.state === 'answer') this.nextCall();
  }

  abort(): void {
    this.finish();
    resetSocket(this.socket);
  }

  private nextCall(): void {
    this.writer.drained();
    this.window.close();
    this.call = undefined;
    this.end = undefined;
    this.state = 'start';
    if (this.draining || (this.ended && !this.input.waiting)) this.leave();
    else this.input.proceed();
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------

  private onEnd(): void {
    this.ended = true;
    const { call } = this;
    if (this.state === 'answer' && call?.info.oneway === true) return;
    // As in HTTP/1: who ends the connection in the middle of a call has gone.
    if (call !== undefined) call.sink?.requestReset(proxyError('DOWNSTREAM_RESET', 'connection_ended'));
    this.leave();
  }

  /** Everything was said. */
  private leave(): void {
    this.finish();
    this.socket.end();
  }

  private lost(): void {
    if (this.state === 'closed') return;
    const { call } = this;
    this.finish();
    if (call !== undefined && !call.over) call.sink?.requestReset(proxyError('DOWNSTREAM_RESET', 'connection_lost'));
  }

  private finish(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.input.close();
    this.window.close();
    this.call = undefined;
  }
}
