import type { Clock } from '../common/clock.ts';
import { type ProxyError, proxyError } from './errors/proxy-error.ts';
import { type Answer, answerTo, trailersTo } from './errors/respond-to-error.ts';
import type { Origin } from './origin.ts';
import type { Plan } from './plan.ts';
import { type FieldList, fieldValue, type RequestHead, type ResponseHead } from './protocol/head.ts';
import type { Downstream, RequestSink, ResponseSink, Upstream, WindowAccount } from './protocol/stream.ts';
import type { CircuitBreaker } from './resilience/circuit-breaker.ts';
import type { PlanBackend } from './route/outbound-plan.ts';
import { CONTINUE, type Pipeline } from './step.ts';
import type { Endpoint } from './upstream/endpoint.ts';
import type { Transport } from './upstream/transport.ts';

/** A request body up to this size is kept until the response begins, so that the request can be sent again. */
export const REPLAY_BYTES = 65_536;

/** Takes what comes of a request, beside the destination. */
export interface RequestCopy {
  requestData(chunk: Buffer, end: boolean): void;
  requestTrailers(trailers: FieldList): void;
  /** The rest of the request will not come. */
  giveUp(error: ProxyError): void;
}

/** What every exchange of a direction shares. */
export interface ExchangeContext {
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly account: WindowAccount;
}

/**
 * One request on its way through the sidecar, from its head to the end of its answer: the state of it, and the relay between the two codecs.
 * Lives from `start()` until both codecs are done with it; owned by the server codec's stream.
 *
 * States: running steps → (waiting) → forwarding → responding → done. `done` is final; what comes later is only accounted for.
 */
export class Exchange implements RequestSink, ResponseSink {
  readonly context: ExchangeContext;
  readonly downstream: Downstream;
  readonly origin: Origin;
  /** As it came; from `normalizePath` on, with the normal form of its path. */
  head: RequestHead;
  /** The request's volatile fields, as they will be sent. */
  volatile: FieldList;
  /** The request is complete. */
  requestEnded: boolean;
  readonly startedAtMs: number;
  /** Monotonic; 0: none. */
  deadlineMs = 0;
  /** What was decided about this head. Set by `routeRequest` or `admitRequest`. */
  plan: Plan | undefined = undefined;
  /** Which of the plan's backends it goes to. Set by `routeRequest`. */
  backend: PlanBackend | undefined = undefined;
  /** Set by `limitRequests` while it counts. */
  countedBy: CircuitBreaker | undefined = undefined;
  /** Set by `retry` while an attempt after the first is under way or to come. */
  retryCountedBy: CircuitBreaker | undefined = undefined;

  // The attempt: fresh for each try.
  /** From 1; 0: none was made. */
  attempt = 0;
  attemptStartedAtMs: number;
  /** When the head of its answer came; 0: it has not. */
  answeredAtMs = 0;
  endpoint: Endpoint | undefined = undefined;
  /** The endpoint of the attempt before, which the next one avoids. */
  triedEndpoint: Endpoint | undefined = undefined;
  upstream: Upstream | undefined = undefined;
  /** Set by `forward` while the attempt lasts. */
  transport: Transport | undefined = undefined;
  /** The attempt went out on a connection that had been idle: the server may have closed it meanwhile. */
  reusedConnection = false;
  private attemptConsumed = 0;
  /** What was kept is being sent: more must not come in between, so nobody gets credit yet. */
  private replaying = false;

  // The outcome.
  /** 0 until the answer's head is known. */
  status = 0;
  /** `grpc-status` of the answer, or ''. */
  grpcStatus = '';
  /** Why it failed, or why the mesh answered itself. */
  error: ProxyError | undefined = undefined;
  /** The flag of an answer that the peer's sidecar made, or ''. */
  peerFlag = '';
  requestBytes = 0;
  responseBytes = 0;
  /** The answer's head has gone out: from here on nothing can be tried again. */
  responded = false;
  done = false;
  /** An Upgrade or CONNECT was granted: the two directions end each by itself. */
  private tunnel = false;
  private responseEnded = false;
  /** Bytes of the answer that the caller's connection has not taken yet. */
  private unwritten = 0;

  private copy: RequestCopy | undefined = undefined;
  private next = 0;
  private begun = 0;
  private credited = 0;
  private kept: Buffer[] | undefined = undefined;
  private keptBytes = 0;
  private keptTrailers: FieldList | undefined = undefined;
  /** The kept chunks are the whole request body so far. */
  private replayable = true;

  constructor(
    context: ExchangeContext,
    origin: Origin,
    downstream: Downstream,
    head: RequestHead,
    volatile: FieldList,
    end: boolean,
  ) {
    this.context = context;
    this.origin = origin;
    this.downstream = downstream;
    this.head = head;
    this.volatile = volatile;
    this.requestEnded = end;
    this.startedAtMs = context.clock.nowMs();
    this.attemptStartedAtMs = this.startedAtMs;
  }

  // ---- the list ----------------------------------------------------------------------------------------------------

  /** Runs the steps, from where the exchange stands. */
  resume(): void {
    const { begins } = this.context.pipeline;
    while (!this.done && this.next < begins.length) {
      const begin = begins[this.next++]!;
      this.begun = this.next;
      if (begin(this) !== CONTINUE) return;
    }
  }

  /** Starts the next attempt. */
  tryAgain(): void {
    if (this.done) return;
    this.attempt++;
    this.error = undefined;
    this.status = 0;
    this.grpcStatus = this.peerFlag = '';
    this.reusedConnection = false;
    this.next = this.context.pipeline.attemptFrom;
    this.resume();
  }

  /** The mesh answers by itself. */
  fail(error: ProxyError): void {
    if (this.done) return;
    this.error = error;
    if (this.responded) return this.cutOff(error);
    this.send(answerTo(error, this));
  }

  /** The answer has begun, and its end will not come. */
  private cutOff(error: ProxyError): void {
    // Behind bytes that nobody reads trailers would wait for ever.
    const trailers = this.unwritten === 0 ? trailersTo(error, this) : undefined;
    if (trailers === undefined) this.downstream.reset(error);
    else {
      this.grpcStatus = trailers.grpcStatus;
      this.downstream.sendTrailers(trailers.list);
    }
    this.finish();
  }

  /** Answers with a head and a body that the mesh made. */
  send(answer: Answer): void {
    this.responded = true;
    this.peerFlag = '';
    this.status = answer.head.status;
    this.grpcStatus = answer.grpcStatus;
    const { body } = answer;
    this.responseBytes = body.length;
    this.downstream.sendHead(answer.head, answer.volatile, body.length === 0);
    if (body.length > 0) this.downstream.sendData(body, true);
    this.finish();
  }

  /** The attempt did not bring an answer: once more, or the answer says why. */
  attemptFailed(failure: ProxyError): void {
    if (this.done) return;
    // Whatever fails when the time is up: a server that ends a call then resets it, perhaps before our own timer has fired.
    const error = this.deadlineMs > 0 && this.context.clock.nowMs() >= this.deadlineMs ? DEADLINE_PASSED : failure;
    this.error = error;
    const { upstream } = this;
    this.upstream = undefined;
    upstream?.reset(error);
    this.endSteps(this.context.pipeline.attemptFrom);
    if (!this.responded && this.replayable && this.context.pipeline.boundary.again(this, error, undefined)) return;
    this.fail(error);
  }

  private endSteps(from: number): void {
    const { ends } = this.context.pipeline;
    while (this.begun > from) ends[--this.begun]?.(this);
  }

  private finish(): void {
    if (this.done) return;
    this.done = true;
    this.dropKept();
    if (this.upstream !== undefined && !(this.requestEnded && this.error === undefined))
      this.upstream.reset(this.error ?? ABANDONED);
    if (!this.requestEnded) this.copy?.giveUp(ABANDONED);
    // What an upstream has not passed on by now it never will.
    this.attemptConsumed = this.requestBytes;
    this.creditCaller();
    this.endSteps(0);
  }

  // ---- the request, from the server codec -----------------------------------------------------------------------------

  requestData(chunk: Buffer, end: boolean): void {
    if (this.done) return this.downstream.requestConsumed(chunk.length);
    this.requestBytes += chunk.length;
    if (end) this.requestEnded = true;
    if (!this.responded) this.keep(chunk);
    this.copy?.requestData(chunk, end);
    this.upstream?.sendData(chunk, end);
    if (end && this.responseEnded) this.finish();
  }

  requestTrailers(trailers: FieldList): void {
    if (this.done) return;
    this.requestEnded = true;
    if (!this.responded) this.keptTrailers = trailers;
    this.copy?.requestTrailers(trailers);
    this.upstream?.sendTrailers(trailers);
    if (this.responseEnded) this.finish();
  }

  requestReset(error: ProxyError): void {
    const { upstream } = this;
    if (this.done) return upstream?.reset(error);
    this.error = error;
    this.finish();
  }

  responseConsumed(bytes: number): void {
    this.unwritten -= bytes;
    this.upstream?.responseConsumed(bytes);
  }

  /** Chunks are kept while they are the whole body and fit: for an upstream that is not there yet, and for another attempt. */
  private keep(chunk: Buffer): void {
    if (!this.replayable || chunk.length === 0) return;
    if (this.upstream !== undefined && this.keptBytes + chunk.length > REPLAY_BYTES) {
      this.replayable = false;
      this.dropKept();
      return;
    }
    this.keptBytes += chunk.length;
    this.context.account.hold(chunk.length);
    if (this.kept === undefined) this.kept = [chunk];
    else this.kept.push(chunk);
  }

  private dropKept(): void {
    if (this.keptBytes > 0) this.context.account.release(this.keptBytes);
    this.kept = undefined;
    this.keptBytes = 0;
    this.keptTrailers = undefined;
  }

  /** All of the request goes to `copy` too: what has come, and what will. Before the first attempt, while everything is kept. */
  copyTo(copy: RequestCopy): void {
    this.copy = copy;
    const { kept = [], keptTrailers } = this;
    const last = this.requestEnded && keptTrailers === undefined ? kept.length - 1 : -1;
    for (const [i, chunk] of kept.entries()) copy.requestData(chunk, i === last);
    if (keptTrailers !== undefined) copy.requestTrailers(keptTrailers);
  }

  // ---- the attempt, from the forwarding step ---------------------------------------------------------------------------

  /** True when the head is all there is to send. */
  get headOnly(): boolean {
    return this.requestEnded && this.kept === undefined && this.keptTrailers === undefined;
  }

  /** The first attempt may go out on a connection that was used before; what failed there may fail on the next such one. */
  get wantsFresh(): boolean {
    return this.attempt > 1;
  }

  /** The request head is out; what came of the body so far follows. */
  forwardTo(upstream: Upstream, used: boolean): void {
    // The attempt may have failed while its head was written.
    if (this.done || this.transport === undefined) return upstream.reset(this.error ?? ABANDONED);
    this.upstream = upstream;
    this.reusedConnection = used;
    this.attemptConsumed = 0;
    const { kept } = this;
    this.replaying = true;
    if (kept !== undefined) {
      const last = kept.length - 1;
      for (let i = 0; i <= last && this.upstream === upstream; i++) {
        upstream.sendData(kept[i] as Buffer, i === last && this.requestEnded && this.keptTrailers === undefined);
      }
    }
    if (this.keptTrailers !== undefined && this.upstream === upstream) upstream.sendTrailers(this.keptTrailers);
    this.replaying = false;
    this.creditCaller();
  }

  // ---- the response, from the client codec --------------------------------------------------------------------------------

  informational(head: ResponseHead): void {
    if (!this.done && !this.responded) this.downstream.sendInformational(head);
  }

  responseHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    if (this.done) return;
    const { boundary, attemptFrom, listeners } = this.context.pipeline;
    this.status = head.status;
    if (head.mesh !== undefined) this.peerFlag = head.mesh.flag;
    if (end) this.grpcStatus = fieldValue(head.fields.list, 'grpc-status') ?? '';
    if (this.replayable && boundary.again(this, undefined, head)) {
      this.upstream?.reset(ABANDONED);
      this.upstream = undefined;
      this.endSteps(attemptFrom);
      return;
    }
    this.error = undefined;
    this.responded = true;
    for (let i = 0; i < listeners.length; i++) listeners[i]!(this);
    this.dropKept();
    this.tunnel =
      (this.head.protocol !== '' && head.status === 101) || (this.head.method === 'CONNECT' && head.status === 200);
    const rewrite = this.backend?.responseRewrite;
    if (rewrite === undefined) this.downstream.sendHead(head, volatile, end);
    else this.downstream.sendHead(rewrite.head(head), rewrite.volatile(volatile), end);
    if (end) this.endResponse();
  }

  responseData(chunk: Buffer, end: boolean): void {
    if (this.done) return this.upstream?.responseConsumed(chunk.length);
    this.responseBytes += chunk.length;
    this.unwritten += chunk.length;
    this.downstream.sendData(chunk, end);
    if (end) this.endResponse();
  }

  private endResponse(): void {
    this.responseEnded = true;
    if (!this.tunnel || this.requestEnded) this.finish();
  }

  responseTrailers(trailers: FieldList): void {
    if (this.done) return;
    this.grpcStatus = fieldValue(trailers, 'grpc-status') ?? '';
    this.downstream.sendTrailers(trailers);
    this.finish();
  }

  responseReset(error: ProxyError): void {
    this.attemptFailed(error);
  }

  requestConsumed(bytes: number): void {
    if (this.done) return;
    this.attemptConsumed += bytes;
    if (!this.replaying) this.creditCaller();
  }

  private creditCaller(): void {
    const more = this.attemptConsumed - this.credited;
    if (more <= 0) return;
    this.credited = this.attemptConsumed;
    this.downstream.requestConsumed(more);
  }
}

const DEADLINE_PASSED = proxyError('DEADLINE_EXCEEDED', 'request_timeout');
/** The answer is complete before the request: nobody wants the rest. */
const ABANDONED = proxyError('DOWNSTREAM_RESET', 'abandoned');
