import type { Duplex } from 'node:stream';
import { proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, fieldValue, NO_FIELDS, type RequestHead } from '../head.ts';
import { Input, type InputReader } from '../http1/input.ts';
import type { BufferAccount, ResponseSink, Upstream } from '../stream.ts';
import { parseCallInfo } from './call-heads.ts';
import { ThriftClientCall } from './client-call.ts';
import { CreditedWriter } from './credited-writer.ts';
import { EXCEPTION, REPLY } from './message-head.ts';
import { MessageEnd, type MessageStart, parseMessageStart } from './message-reader.ts';
import { nextSequence, restoreSequence } from './sequence.ts';
import { Window } from './window.ts';

/** What all connections of one pool share. */
export interface ThriftClientContext {
  readonly account: BufferAccount;
  /** The call is over and the connection takes another one. */
  onIdle(connection: ThriftClientConnection): void;
  /** Once; the connection is of no more use. */
  onClose(connection: ThriftClientConnection): void;
}

/** idle → call (its reply is awaited) → reply (its struct is read) → idle … closed: what still comes is dropped. */
type State = 'idle' | 'call' | 'reply' | 'closed';

/** For calls that name no transport that is known, or no length where one is needed. */
const NOT_A_CALL = proxyError('DOWNSTREAM_PROTOCOL', 'thrift_call');

/**
 * The client side of a Thrift connection, one call at a time. Every call gets a sequence number of this connection, so that a late reply can't be taken
 * for another one's. Owned by its pool.
 */
export class ThriftClientConnection implements InputReader {
  private state: State = 'idle';
  private call: ThriftClientCall | undefined = undefined;
  private end: MessageEnd | undefined = undefined;
  private window: Window;
  private lastSequence = 0;
  private cause = '';
  private readonly socket: Duplex;
  private readonly context: ThriftClientContext;
  private readonly input: Input;
  private readonly writer: CreditedWriter;

  constructor(socket: Duplex, context: ThriftClientContext) {
    this.socket = socket;
    this.context = context;
    this.input = new Input(socket, context.account, this);
    this.window = new Window(context.account);
    this.writer = new CreditedWriter(socket, bytes => this.call?.written(bytes));
    socket.on('data', (chunk: Buffer) => this.input.push(chunk));
    socket.on('end', () => this.lose('connection_ended'));
    socket.on('drain', () => this.writer.drained());
    socket.on('error', error => {
      this.cause = 'code' in error ? String(error.code) : error.message;
    });
    socket.on('close', () => this.lose('connection_lost'));
  }

  /** Begins an exchange. On a connection that just closed it is reset as `not-sent`. */
  request(sink: ResponseSink, head: RequestHead, volatile: FieldList, end: boolean): Upstream {
    const info = parseCallInfo(head.link?.thrift ?? '');
    const length = Number(fieldValue(volatile, 'content-length') ?? '-1');
    const understood = info !== undefined && !end && (info.transport === 'unframed') === length < 0;
    const sequence = nextSequence(this.lastSequence);
    const call = new ThriftClientCall(this, sink, info ?? NO_INFO, length, sequence);
    if (this.state !== 'idle' || this.socket.destroyed) {
      call.lose(proxyError('UPSTREAM_CLOSED', 'connection_closed', this.cause, 'not-sent'));
    } else if (!understood) {
      call.lose(NOT_A_CALL);
      this.context.onIdle(this);
    } else {
      this.lastSequence = sequence;
      this.window = new Window(this.context.account);
      this.call = call;
      this.state = 'call';
    }
    return call;
  }

  /** Closes at once; an open call is reset. */
  close(): void {
    this.lose('connection_closed');
  }

  // ---- from the call -------------------------------------------------------------------------------------------------------

  write(chunk: Buffer, credit: number): void {
    this.writer.write(chunk, credit);
  }

  /** A call without an answer is over when it was written. */
  onewaySent(call: ThriftClientCall): void {
    this.writer.drained();
    call.head('reply', NO_FIELDS, true);
    if (this.call === call) this.complete(true);
  }

  consumed(bytes: number): void {
    this.window.giveBack(bytes);
    this.input.proceed();
  }

  /** The exchange does not want the rest: the connection can't be used any more. */
  abandon(): void {
    this.call = undefined;
    this.retire();
  }

  // ---- reading replies -----------------------------------------------------------------------------------------------------

  /** Of `InputReader`. */
  get wantsMore(): boolean {
    return this.state === 'call';
  }

  /** Of `InputReader`. */
  settled(): void {}

  /** Of `InputReader`. */
  read(chunk: Buffer, at: number): number {
    switch (this.state) {
      case 'idle':
        // A server that speaks without being asked: the next reply could not be told from it.
        return this.fail('unexpected_bytes', chunk.length);
      case 'call':
        return this.readStart(chunk, at);
      case 'reply':
        return this.readBody(chunk, at);
      case 'closed':
        return chunk.length;
    }
  }

  private readStart(chunk: Buffer, at: number): number {
    const call = this.call as ThriftClientCall;
    const { transport, protocol } = call.info;
    const start = parseMessageStart(transport, protocol, chunk, at);
    if (start === undefined) return at;
    if (typeof start === 'string') return this.fail(start, chunk.length);
    if (!call.started || (start.type !== REPLY && start.type !== EXCEPTION))
      return this.fail('thrift_message_type', chunk.length);
    // Some servers do not repeat the number, and answer with 0.
    if (start.sequence !== call.expectedSequence && start.sequence !== 0)
      return this.fail('thrift_sequence', chunk.length);
    this.state = 'reply';
    this.end = new MessageEnd(start);
    return this.deliver(call, chunk, start.messageAt, start);
  }

  private readBody(chunk: Buffer, at: number): number {
    if (this.window.left <= 0) return at;
    return this.deliver(this.call as ThriftClientCall, chunk, at, undefined);
  }

  /** `start`: these are the first bytes of the reply. */
  private deliver(call: ThriftClientCall, chunk: Buffer, at: number, start: MessageStart | undefined): number {
    const end = this.end as MessageEnd;
    // What is needed to read the beginning is always less than the window.
    const next = end.pass(chunk, at, Math.min(chunk.length, at + this.window.left));
    if (end.fault !== '') return this.fail(end.fault, chunk.length);
    const whole = end.reached;
    let bytes = chunk.subarray(at, next);
    if (start !== undefined) {
      const restored = restoreSequence(chunk.subarray(0, next), start, call.callerSequence);
      bytes = restored.bytes;
      const length = start.bytes < 0 ? NO_FIELDS : ['content-length', String(start.bytes + restored.grown)];
      call.head(start.result, length, false);
    }
    this.window.use(bytes.length);
    call.data(bytes, whole);
    if (whole && this.call === call) this.complete(call.sent);
    return this.state === 'closed' ? chunk.length : next;
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------------

  /** The answer is whole. */
  private complete(reusable: boolean): void {
    this.window.close();
    this.call = undefined;
    this.end = undefined;
    if (!reusable) return this.retire();
    this.state = 'idle';
    this.context.onIdle(this);
  }

  private fail(detail: string, position: number): number {
    const { call } = this;
    this.call = undefined;
    call?.lose(proxyError('UPSTREAM_PROTOCOL', detail));
    this.retire();
    return position;
  }

  private lose(detail: string): void {
    const { call } = this;
    this.call = undefined;
    const retry = call?.started === true ? 'if-idempotent' : 'not-sent';
    call?.lose(proxyError('UPSTREAM_CLOSED', detail, this.cause, retry));
    this.retire();
  }

  private retire(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.input.close();
    this.window.close();
    this.socket.destroy();
    this.context.onClose(this);
  }
}

const NO_INFO = { transport: 'framed', protocol: 'binary', oneway: false } as const;
