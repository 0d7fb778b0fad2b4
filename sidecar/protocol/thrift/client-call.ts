import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, Fields, ResponseHead } from '../head.ts';
import type { ResponseSink, Upstream } from '../stream.ts';
import { THRIFT_CONTENT_TYPE, type ThriftCallInfo } from './call-heads.ts';
import { withFrameLength } from './credited-writer.ts';
import type { ThriftClientConnection } from './forward.ts';
import { MAX_THEADER_BYTES } from './limits.ts';
import { CALL, ONEWAY, type ThriftResult } from './message-head.ts';
import { MessageEnd, type MessageStart, parseMessage } from './message-reader.ts';
import { writeSequence } from './sequence.ts';

/** How a reply shows in metrics, logs, retries and outlier detection: as the HTTP status that means the same. */
const STATUSES: Readonly<Record<ThriftResult, number>> = {
  reply: 200,
  declared: 422,
  unknown_method: 404,
  exception: 500,
};

const FIELDS = new Fields(['content-type', THRIFT_CONTENT_TYPE]);
const HEADS = {
  reply: new ResponseHead(STATUSES.reply, FIELDS),
  declared: new ResponseHead(STATUSES.declared, FIELDS),
  unknown_method: new ResponseHead(STATUSES.unknown_method, FIELDS),
  exception: new ResponseHead(STATUSES.exception, FIELDS),
} satisfies Record<ThriftResult, ResponseHead>;

/** The head of a call's answer. Replies differ in nothing else, so there is one object for each result. */
export const replyHead = (result: ThriftResult): ResponseHead => HEADS[result];

/** The beginning of a message is complete in so many bytes, or never. */
const MAX_START_BYTES = MAX_THEADER_BYTES + 1_024;
const NOTHING = Buffer.alloc(0);

/** One call on its way to the app. Lives until its answer is whole; what is called later does nothing. */
export class ThriftClientCall implements Upstream {
  readonly info: ThriftCallInfo;
  readonly sink: ResponseSink;
  /** Of the whole message; -1: unframed. */
  readonly bytes: number;
  /** The number that the app gets instead of the caller's own. */
  readonly sequence: number;
  /** The message's beginning, once it was read. */
  start: MessageStart | undefined = undefined;
  /** The message is written. */
  sent = false;
  private end: MessageEnd | undefined = undefined;
  private pending: Buffer = NOTHING;
  private over = false;
  private readonly connection: ThriftClientConnection;

  constructor(
    connection: ThriftClientConnection,
    sink: ResponseSink,
    info: ThriftCallInfo,
    bytes: number,
    sequence: number,
  ) {
    this.connection = connection;
    this.sink = sink;
    this.info = info;
    this.bytes = bytes;
    this.sequence = sequence;
  }

  /** Some of it was written. */
  get started(): boolean {
    return this.start !== undefined;
  }

  /** The number that the app's reply has to have. */
  get expectedSequence(): number {
    return this.info.protocol === 'json' ? this.callerSequence : this.sequence;
  }

  get callerSequence(): number {
    return this.start?.sequence ?? 0;
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (this.over) return;
    if (this.start === undefined) this.begin(chunk, end);
    else this.pass(chunk, chunk, end);
  }

  private begin(chunk: Buffer, end: boolean): void {
    const { info, bytes } = this;
    const pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const start = parseMessage(info.transport, info.protocol, pending, 0, bytes);
    if (start === undefined) {
      this.pending = pending;
      if (end || pending.length > MAX_START_BYTES) this.fail('thrift_truncated');
      return;
    }
    if (typeof start === 'string') return this.fail(start);
    // A oneway call may look like one that gets a reply: `RPCRoute` says it then.
    if (start.type !== CALL && !(info.oneway && start.type === ONEWAY)) return this.fail('thrift_message_type');
    this.pending = NOTHING;
    this.start = start;
    this.end = new MessageEnd(start);
    const framed = bytes >= 0;
    const piece = framed ? withFrameLength(bytes, pending) : Buffer.from(pending);
    writeSequence(piece, start, this.sequence, framed ? 4 : 0);
    this.pass(pending, piece, end);
  }

  /** `read`: the caller's bytes. `piece`: what is written in their place. */
  private pass(read: Buffer, piece: Buffer, end: boolean): void {
    const { connection } = this;
    const tracker = this.end as MessageEnd;
    const next = tracker.pass(read, 0, read.length);
    if (tracker.fault !== '') return this.fail(tracker.fault);
    if (next < read.length || (end && !tracker.reached)) return this.fail('body_length_mismatch');
    if (end) this.sent = true;
    connection.write(piece, read.length);
    if (end && this.info.oneway && !this.over) connection.onewaySent(this);
  }

  sendTrailers(): void {
    this.sendData(NOTHING, true);
  }

  reset(): void {
    if (this.over) return;
    this.over = true;
    this.connection.abandon();
  }

  responseConsumed(bytes: number): void {
    if (!this.over) this.connection.consumed(bytes);
  }

  /** Some of the message went out. */
  written(bytes: number): void {
    if (!this.over) this.sink.requestConsumed(bytes);
  }

  head(result: ThriftResult, volatile: FieldList, end: boolean): void {
    if (this.over) return;
    this.over = end;
    this.sink.responseHead(replyHead(result), volatile, end);
  }

  data(chunk: Buffer, end: boolean): void {
    if (this.over) return;
    this.over = end;
    this.sink.responseData(chunk, end);
  }

  /** The answer can't be completed. */
  lose(error: ProxyError): void {
    if (this.over) return;
    this.over = true;
    this.sink.responseReset(error);
  }

  private fail(detail: string): void {
    this.lose(proxyError('DOWNSTREAM_PROTOCOL', detail));
    this.connection.abandon();
  }
}
