/** The four ends of an exchange, made of plain lists, and an outbound pipeline around them. */
import {
  DEFAULT_POLICY,
  type EndpointView,
  type FaultView,
  type PolicyView,
  type RetryView,
} from '../../../api/snapshot.ts';
import { type ManualClock, manualClock } from '../../../common/clock.ts';
import { BufferBudget } from '../../../sidecar/buffer-budget.ts';
import type { ProxyError } from '../../../sidecar/errors/proxy-error.ts';
import { Exchange } from '../../../sidecar/exchange.ts';
import type { Plan } from '../../../sidecar/plan.ts';
import {
  type FieldList,
  Fields,
  type MeshAnswer,
  NO_FIELDS,
  RequestHead,
  ResponseHead,
} from '../../../sidecar/protocol/head.ts';
import type { Downstream, Upstream } from '../../../sidecar/protocol/stream.ts';
import { enforceDeadline } from '../../../sidecar/resilience/deadline.ts';
import { injectFault } from '../../../sidecar/resilience/inject-fault.ts';
import { limitAttempt } from '../../../sidecar/resilience/limit-attempt.ts';
import { limitRequests } from '../../../sidecar/resilience/limit-requests.ts';
import { OutlierDetector } from '../../../sidecar/resilience/outlier-detection/detector.ts';
import { reportOutcome } from '../../../sidecar/resilience/outlier-detection/report-outcome.ts';
import { OverloadEpisodes } from '../../../sidecar/resilience/overload-episodes.ts';
import { retry } from '../../../sidecar/resilience/retry.ts';
import { shedLoad } from '../../../sidecar/resilience/shed-load.ts';
import { mirrorRequest } from '../../../sidecar/route/mirror-request.ts';
import { PlanBackend } from '../../../sidecar/route/outbound-plan.ts';
import { CONTINUE, NEVER_AGAIN, Pipeline, type Step } from '../../../sidecar/step.ts';
import type { HeadCounters } from '../../../sidecar/telemetry/head-counters.ts';
import { type Cluster, Clusters } from '../../../sidecar/upstream/cluster.ts';
import { forward } from '../../../sidecar/upstream/forward.ts';
import { pickEndpoint } from '../../../sidecar/upstream/pick-endpoint.ts';
import type { Attempt, Transport } from '../../../sidecar/upstream/transport.ts';
import { endpointView, portView, serviceView, snapshotOf } from './route/snapshot.fixture.ts';

export class FakeDownstream implements Downstream {
  readonly said: string[] = [];
  readonly errors: ProxyError[] = [];
  consumed = 0;
  body = '';
  head: ResponseHead | undefined = undefined;
  headVolatile: FieldList = NO_FIELDS;
  trailers: FieldList = NO_FIELDS;

  sendInformational(head: ResponseHead): void {
    this.said.push(`informational ${head.status}`);
  }
  sendHead(head: ResponseHead, volatile: FieldList, end: boolean): void {
    this.head = head;
    this.headVolatile = volatile;
    this.said.push(`head ${head.status}${end ? ' end' : ''}`);
  }
  sendData(chunk: Buffer, end: boolean): void {
    this.body += chunk.toString();
    this.said.push(`data ${chunk.length}${end ? ' end' : ''}`);
  }
  sendTrailers(trailers: FieldList): void {
    this.trailers = trailers;
    this.said.push('trailers');
  }
  reset(error: ProxyError): void {
    this.errors.push(error);
    this.said.push(`reset ${error.code}`);
  }
  requestConsumed(bytes: number): void {
    this.consumed += bytes;
  }
}

/** A client codec's stream, which does what the test says. */
export class FakeUpstream implements Upstream {
  readonly said: string[] = [];
  body = '';
  consumed = 0;
  closed = false;

  sendData(chunk: Buffer, end: boolean): void {
    if (this.closed) return;
    this.body += chunk.toString();
    this.said.push(`data ${chunk.length}${end ? ' end' : ''}`);
  }
  sendTrailers(): void {
    if (!this.closed) this.said.push('trailers');
  }
  reset(error: ProxyError): void {
    if (this.closed) return;
    this.closed = true;
    this.said.push(`reset ${error.detail}`);
  }
  responseConsumed(bytes: number): void {
    this.consumed += bytes;
  }
}

/** Keeps every attempt until the test takes it. */
export class FakeTransport implements Transport {
  readonly connections = 0;
  readonly sent: { readonly attempt: Attempt; readonly volatile: FieldList; readonly head: RequestHead }[] = [];
  readonly waiting = new Set<Attempt>();
  readonly upstreams: FakeUpstream[] = [];
  /** Called at each `send`. */
  onSend: (attempt: Attempt) => void = () => {};

  send(attempt: Attempt, head: RequestHead, volatile: FieldList): void {
    this.sent.push({ attempt, head, volatile });
    this.waiting.add(attempt);
    this.onSend(attempt);
  }
  forget(attempt: Attempt): void {
    this.waiting.delete(attempt);
  }
  /** There is a connection for the attempt that came last. */
  connect(used = false): FakeUpstream {
    const { attempt } = this.sent.at(-1)!;
    this.waiting.delete(attempt);
    const upstream = new FakeUpstream();
    this.upstreams.push(upstream);
    attempt.forwardTo(upstream, used);
    return upstream;
  }
  drain(): void {}
  close(): void {}
}

export interface WorldOptions {
  readonly policy?: Partial<PolicyView>;
  readonly retry?: RetryView | null;
  readonly retriesResets?: Plan['retriesResets'];
  readonly requestTimeoutMs?: number;
  readonly attemptTimeoutMs?: number;
  readonly endpoints?: readonly EndpointView[];
  readonly fault?: FaultView;
  /** The share of requests that is copied. */
  readonly mirrorPercent?: number;
  /** For faults and copies alone. */
  readonly random?: () => number;
}

export interface World {
  readonly clock: ManualClock;
  readonly account: BufferBudget;
  readonly cluster: Cluster;
  readonly transport: FakeTransport;
  /** Where copies go. */
  readonly mirror: FakeTransport;
  readonly retries: string[];
  readonly log: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
  /** Each step's `begin` and `end`, by the order of the list. */
  readonly trace: string[];
  /** Ended exchanges, as the recording step saw them. */
  readonly ended: string[];
  request(head?: RequestHead, end?: boolean, volatile?: FieldList): { exchange: Exchange; downstream: FakeDownstream };
  /** Nothing is held, counted or waited for any more. */
  leaks(): Record<string, number>;
}

export const requestHead = (method = 'GET', fields: FieldList = NO_FIELDS, protocol = ''): RequestHead =>
  new RequestHead(method, 'http', 'app', method === 'CONNECT' ? '' : '/', new Fields(fields), protocol);
export const responseHead = (status: number, fields: FieldList = NO_FIELDS, mesh?: MeshAnswer): ResponseHead =>
  new ResponseHead(status, new Fields(fields), mesh);

/** The outbound list behind routing, with a fake transport at its end. */
export const createWorld = (options: WorldOptions = {}): World => {
  const clock = manualClock(1e12);
  clock.advance(1_000_000);
  const account = new BufferBudget();
  const transport = new FakeTransport();
  const mirror = new FakeTransport();
  const retries: string[] = [];
  const trace: string[] = [];
  const ended: string[] = [];
  const log: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const clusters = new Clusters({ clock, random: () => 0.5 }, () => {});
  const endpoints = options.endpoints ?? [endpointView('10.0.0.1:15006'), endpointView('10.0.0.2:15006')];
  const policy = { ...DEFAULT_POLICY, ...options.policy };
  clusters.apply(snapshotOf(serviceView('app', { endpoints, ports: [portView(80, { policy })] })));
  const cluster = clusters.get('app.default:80')!;
  const write = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    log.push({ message, fields });
  };
  const logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  const detector = new OutlierDetector({
    clock,
    random: () => 0.5,
    log: logger,
    onChange: endpoint => clusters.repick(endpoint),
  });
  const breakerOf = (exchange: Exchange) => exchange.backend?.cluster?.breaker;
  const copiesGo: Plan = {
    requestTimeoutMs: options.requestTimeoutMs ?? Number.POSITIVE_INFINITY,
    attemptTimeoutMs: 0,
    retry: null,
    retriesResets: 'always',
    retryBudget: undefined,
    route: '',
    countersFor: () => undefined as unknown as HeadCounters,
  };
  const copies = {
    clock,
    account,
    pipeline: new Pipeline([limitRequests(breakerOf), enforceDeadline(clock)], NEVER_AGAIN, [
      forward(clock, { timeout: 'outrider-timeout-ms', attempt: 'outrider-attempt' }, ({ head }) => ({
        transport: mirror,
        head,
      })),
    ]),
  };
  const plan: Plan = {
    mirror:
      options.mirrorPercent === undefined
        ? undefined
        : {
            plan: copiesGo,
            backend: new PlanBackend(cluster, 1, requestHead(), '', undefined as unknown as HeadCounters),
            percent: options.mirrorPercent,
          },
    requestTimeoutMs: options.requestTimeoutMs ?? Number.POSITIVE_INFINITY,
    attemptTimeoutMs: options.attemptTimeoutMs ?? 0,
    retry: options.retry ?? null,
    retriesResets: options.retriesResets ?? 'always',
    retryBudget: cluster.budget,
    fault: options.fault,
    route: '',
    countersFor: () => undefined as unknown as HeadCounters,
  };
  const route: Step = {
    begin: exchange => {
      exchange.plan = plan;
      exchange.backend = new PlanBackend(cluster, 1, exchange.head, '', undefined as unknown as HeadCounters);
      return CONTINUE;
    },
    end: exchange => {
      const { status, error, grpcStatus, peerFlag } = exchange;
      ended.push([status, error?.code ?? '-', error?.detail ?? '-', grpcStatus || '-', peerFlag || '-'].join(' '));
    },
  };
  const tracing = (name: string): Step => ({
    begin: () => {
      trace.push(`begin ${name}`);
      return CONTINUE;
    },
    end: () => {
      trace.push(`end ${name}`);
    },
  });
  const pipeline = new Pipeline(
    [
      route,
      tracing('once'),
      shedLoad(account, new OverloadEpisodes(logger, clock)),
      limitRequests(breakerOf),
      enforceDeadline(clock),
      injectFault(clock, options.random ?? (() => 0.5)),
      mirrorRequest(copies, options.random ?? (() => 0.5)),
    ],
    retry({ clock, random: () => 0.5, breakerOf, onRetry: (_exchange, reason) => retries.push(reason) }),
    [
      limitAttempt(clock),
      pickEndpoint(clock),
      reportOutcome(detector),
      tracing('attempt'),
      forward(clock, { timeout: 'outrider-timeout-ms', attempt: 'outrider-attempt' }, exchange => ({
        transport,
        head: exchange.head,
      })),
    ],
  );
  const context = { pipeline, clock, account };
  return {
    clock,
    account,
    cluster,
    transport,
    mirror,
    retries,
    log,
    trace,
    ended,
    request: (head = requestHead(), end = true, volatile = NO_FIELDS) => {
      const downstream = new FakeDownstream();
      const exchange = new Exchange(context, { link: false, target: undefined }, downstream, head, volatile, end);
      exchange.resume();
      return { exchange, downstream };
    },
    leaks: () => ({
      buffered: account.buffered,
      requests: cluster.breaker.count('requests'),
      retries: cluster.breaker.count('retries'),
      active: cluster.endpoints.reduce((sum, endpoint) => sum + endpoint.active, 0),
      waiting: transport.waiting.size + mirror.waiting.size,
      unbalanced:
        trace.filter(line => line.startsWith('begin')).length - trace.filter(line => line.startsWith('end')).length,
    }),
  };
};

export const NO_LEAKS = { buffered: 0, requests: 0, retries: 0, active: 0, waiting: 0, unbalanced: 0 };
