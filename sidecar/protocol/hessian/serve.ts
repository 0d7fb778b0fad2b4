import type { Clock, Timer } from '../../../common/clock.ts';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, Fields, fieldValue, NO_FIELDS, type RequestHead, ResponseHead } from '../head.ts';
import type { BufferAccount, Downstream, RequestSink } from '../stream.ts';
import { type CallSink, HessianAnswer } from './answer.ts';
import { type HessianHeads, saysHessian } from './call-heads.ts';
import { parseEnvelope, replyVersion } from './envelope.ts';
import { ENVELOPE_TIMEOUT_MS } from './limits.ts';

export interface HessianServerOptions {
  /** The caller is an app, not a sidecar: answers of the mesh become faults that its library reads. */
  readonly answersFaults: boolean;
  readonly heads: HessianHeads;
  readonly account: BufferAccount;
  readonly clock: Clock;
  /** Begins the exchange of a request. */
  readonly begin: (downstream: Downstream, head: RequestHead, volatile: FieldList, end: boolean) => CallSink;
  /** Answers a request whose envelope could not be read. */
  readonly refuse: (downstream: Downstream, head: RequestHead, volatile: FieldList, error: ProxyError) => void;
}

/** True for a request that may be a call: a POST whose content type says so, or to a port that is `declared` as Hessian. */
export const mayBeHessian = (head: RequestHead, end: boolean, declared: (head: RequestHead) => boolean): boolean =>
  head.method === 'POST' && !end && head.protocol === '' && (saysHessian(head) || declared(head));

const GO_ON = new ResponseHead(100, new Fields(NO_FIELDS));

/**
 * A request whose head waits until the method of the call was read from the beginning of its body; from then on it only reads along. It stands between
 * the server codec's stream and the exchange.
 *
 * envelope (the beginning of the call comes in) → open (the exchange has begun) or refused.
 */
export class HessianServerCall implements RequestSink {
  /** The exchange, once it has begun. */
  behind: CallSink | undefined = undefined;
  private state: 'envelope' | 'open' | 'refused' = 'envelope';
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private readonly timer: Timer;
  private readonly downstream: Downstream;
  private readonly head: RequestHead;
  private readonly volatile: FieldList;
  private readonly options: HessianServerOptions;

  constructor(downstream: Downstream, head: RequestHead, volatile: FieldList, options: HessianServerOptions) {
    this.downstream = downstream;
    this.head = head;
    this.volatile = volatile;
    this.options = options;
    this.timer = options.clock.setTimer(ENVELOPE_TIMEOUT_MS, () =>
      this.refuse(proxyError('REQUEST_TIMEOUT', 'hessian_timeout'), 2),
    );
    const fields = head.fields.list;
    // The method of a compressed body cannot be read.
    if (fieldValue(fields, 'content-encoding') !== undefined) this.open('', 2, false);
    // A caller that waits for this word would wait for ever: the app, which could say it, has not been asked yet.
    else if (fieldValue(fields, 'expect')?.toLowerCase() === '100-continue') downstream.sendInformational(GO_ON);
  }

  requestData(chunk: Buffer, end: boolean): void {
    if (this.behind !== undefined) return this.behind.requestData(chunk, end);
    if (this.state === 'refused') return this.downstream.requestConsumed(chunk.length);
    this.pending.push(chunk);
    this.pendingBytes += chunk.length;
    this.options.account.hold(chunk.length);
    const bytes = this.pending.length === 1 ? chunk : Buffer.concat(this.pending);
    const envelope = parseEnvelope(bytes) ?? (end ? 'hessian_truncated' : undefined);
    if (envelope === undefined) return;
    if (typeof envelope !== 'string') this.open(envelope.method, envelope.version, end);
    else if (!saysHessian(this.head)) this.openPlain(end);
    else this.refuse(proxyError('DOWNSTREAM_PROTOCOL', envelope), replyVersion(bytes));
  }

  requestTrailers(trailers: FieldList): void {
    if (this.state === 'envelope') this.requestData(NOTHING, true);
    else this.behind?.requestTrailers(trailers);
  }

  requestReset(error: ProxyError): void {
    if (this.state === 'envelope') this.state = 'refused';
    this.drop();
    this.behind?.requestReset(error);
  }

  responseConsumed(bytes: number): void {
    this.behind?.responseConsumed(bytes);
  }

  private open(method: string, version: 1 | 2, end: boolean): void {
    const { options, downstream } = this;
    const answer = new HessianAnswer(downstream, options.answersFaults ? version : undefined);
    answer.sink = this.begin(answer, options.heads.get(this.head, method));
    this.passOn(answer.sink, end);
  }

  /** The port is declared as Hessian, and this is something else: an ordinary request. */
  private openPlain(end: boolean): void {
    this.passOn(this.begin(this.downstream, this.head), end);
  }

  private begin(downstream: Downstream, head: RequestHead): CallSink {
    this.state = 'open';
    this.behind = this.options.begin(downstream, head, this.volatile, false);
    return this.behind;
  }

  /** What has waited here. */
  private passOn(sink: CallSink, end: boolean): void {
    const { pending } = this;
    this.drop();
    for (const [i, chunk] of pending.entries()) sink.requestData(chunk, end && i === pending.length - 1);
  }

  private refuse(error: ProxyError, version: 1 | 2): void {
    this.state = 'refused';
    const { pendingBytes, downstream, options } = this;
    this.drop();
    const answer = new HessianAnswer(downstream, options.answersFaults ? version : undefined);
    options.refuse(answer, options.heads.get(this.head, ''), this.volatile, error);
    downstream.requestConsumed(pendingBytes);
  }

  /** Nothing waits here any more. */
  private drop(): void {
    this.timer.cancel();
    this.options.account.release(this.pendingBytes);
    this.pending = [];
    this.pendingBytes = 0;
  }
}

const NOTHING = Buffer.alloc(0);
