import { type HeadLabels, methodIsReal, OTHER_METHOD, type Outcome, requestLabels, responseFlags } from './labels.ts';
import { type Metrics, type RequestSeries, serviceKey } from './metrics.ts';

interface Known {
  readonly status: number;
  readonly grpcStatus: string;
  readonly flags: string;
  series: RequestSeries;
}

/** More outcomes than this are looked up anew each time: a head has a handful, and a scan of them should stay cheap. */
const MAX_KNOWN = 16;

/**
 * The series of one head by outcome, each looked up once. Kept beside what else is derived from the interned head (and the connection, where labels
 * depend on the peer).
 */
export class OutcomeSeries {
  readonly head: HeadLabels;
  private readonly metrics: Metrics;
  private readonly known: Known[] = [];

  constructor(metrics: Metrics, head: HeadLabels) {
    this.metrics = metrics;
    this.head = head;
  }

  /** `unknownMethod`: an RPC system other than gRPC said so. */
  find(outcome: Outcome, unknownMethod = false): RequestSeries {
    const { status, grpcStatus } = outcome;
    const flags = responseFlags(outcome.error, outcome.peerFlag);
    for (const known of this.known) {
      if (known.status !== status || known.grpcStatus !== grpcStatus || known.flags !== flags) continue;
      const { series } = known;
      const admitted = series.labels.method === OTHER_METHOD && this.method(outcome, unknownMethod) !== OTHER_METHOD;
      if (!series.live || admitted) known.series = this.look(outcome, unknownMethod);
      return known.series;
    }
    const series = this.look(outcome, unknownMethod);
    if (this.known.length < MAX_KNOWN) this.known.push({ status, grpcStatus, flags, series });
    return series;
  }

  private look(outcome: Outcome, unknownMethod: boolean): RequestSeries {
    return this.metrics.series(requestLabels(this.head, this.method(outcome, unknownMethod), outcome));
  }

  private method(outcome: Outcome, unknownMethod: boolean): string {
    const { metrics, head } = this;
    return metrics.methods.admit(serviceKey(head), head.method, methodIsReal(outcome, unknownMethod));
  }
}
