import type { Clock } from '../../common/clock.ts';
import { COLLECTED_METRICS, type CollectedMetric, TRAFFIC_METRICS } from './definitions.ts';
import { type ExpositionFormat, expose, type Family } from './exposition.ts';
import { OVERFLOW_LABEL, type RequestLabels, type RetryLabels, type TcpLabels } from './labels.ts';
import { MergedTable } from './merged-table.ts';
import { MethodNames } from './method-names.ts';
import { type CollectedSample, type MetricsPart, together } from './metrics-part.ts';
import { OpenConnections } from './open-connections.ts';
import { type BuildInfo, processFamilies, threadUsage } from './process-metrics.ts';
import { REQUEST_WIDTH, recordRequest, requestFamilies } from './request-metrics.ts';
import { type Series, SeriesTable } from './series-table.ts';
import { TCP_CLOSED, TCP_OPENED, TCP_RECEIVED, TCP_SENT, TCP_WIDTH, tcpFamilies } from './tcp-metrics.ts';

/** Series of requests that may exist at once; as many again of TCP connections, and of retries. */
export const DEFAULT_MAX_SERIES = 5_000;
/** A series without a request for so long goes away, at most a minute later. */
export const IDLE_MS = 600_000;
const SWEEP_MS = 60_000;

export interface MetricsOptions {
  readonly clock: Clock;
  readonly build: BuildInfo;
  /** Default 5,000. */
  readonly maxSeries?: number;
}

export type RequestSeries = Series<RequestLabels>;
export type TcpSeries = Series<TcpLabels>;

/**
 * Everything that a worker counts; the first one's shows what all have counted. Owned by `main`, or by the program of a further worker; lives as long
 * as its thread.
 *
 * A series is looked up once and kept by the caller, who asks for it again when `live` is false; counting is then an addition into a
 * typed array. A scrape copies the numbers as they stand, so they are exact.
 */
export class Metrics implements AsyncDisposable {
  readonly methods = new MethodNames();
  readonly connections = new OpenConnections(this);
  private readonly clock: Clock;
  private readonly build: BuildInfo;
  private readonly requests: SeriesTable<RequestLabels>;
  private readonly tcp: SeriesTable<TcpLabels>;
  private readonly retries: SeriesTable<RetryLabels>;
  private readonly collectors = new Map<CollectedMetric, (() => Iterable<CollectedSample>)[]>();
  /** What the other workers count, asked at each scrape; undefined: there is no other. */
  others: (() => Promise<readonly MetricsPart[]>) | undefined = undefined;
  private readonly merged;
  private sweepTimer;

  constructor({ clock, build, maxSeries = DEFAULT_MAX_SERIES }: MetricsOptions) {
    this.clock = clock;
    this.build = build;
    const common = { maxSeries, idleMs: IDLE_MS };
    const requests = { ...common, width: REQUEST_WIDTH, overflow: OVERFLOW_REQUEST };
    const tcp = { ...common, width: TCP_WIDTH, overflow: OVERFLOW_TCP, busy: hasOpenConnections };
    const retries = { ...common, width: 1, overflow: OVERFLOW_RETRY };
    this.requests = new SeriesTable(requests);
    this.tcp = new SeriesTable(tcp);
    this.retries = new SeriesTable(retries);
    this.merged = {
      requests: new MergedTable(requests),
      tcp: new MergedTable(tcp),
      retries: new MergedTable(retries),
    };
    this.sweepTimer = clock.setTimer(SWEEP_MS, () => this.sweep());
  }

  // ---- requests --------------------------------------------------------------------------------------------------------

  /** The series of these labels. Costs about as much as a log line: keep it. */
  series(labels: RequestLabels): RequestSeries {
    return this.requests.find(labels, this.clock.nowMs());
  }

  /** Counts one request that ended. */
  record(series: RequestSeries, durationMs: number, requestBytes: number, responseBytes: number): void {
    const { offset } = series.live ? series : this.series(series.labels);
    recordRequest(this.requests.slots, offset, durationMs, requestBytes, responseBytes);
  }

  /** Counts one attempt after the first. Rare enough to look its series up each time. */
  retried(labels: RetryLabels): void {
    this.retries.slots[this.retries.find(labels, this.clock.nowMs()).offset]! += 1;
  }

  // ---- raw TCP -----------------------------------------------------------------------------------------------------------

  /** The series of these labels. It stays live while a connection of it is open. */
  tcpSeries(labels: TcpLabels): TcpSeries {
    return this.tcp.find(labels, this.clock.nowMs());
  }

  tcpOpened(series: TcpSeries): void {
    this.tcp.slots[this.tcpOffset(series) + TCP_OPENED]! += 1;
  }

  tcpClosed(series: TcpSeries): void {
    this.tcp.slots[this.tcpOffset(series) + TCP_CLOSED]! += 1;
  }

  /** Bytes since the last call, so that a long connection shows before it ends. */
  tcpBytes(series: TcpSeries, sentBytes: number, receivedBytes: number): void {
    const offset = this.tcpOffset(series);
    this.tcp.slots[offset + TCP_SENT]! += sentBytes;
    this.tcp.slots[offset + TCP_RECEIVED]! += receivedBytes;
  }

  private tcpOffset(series: TcpSeries): number {
    return (series.live ? series : this.tcpSeries(series.labels)).offset;
  }

  // ---- the rest ------------------------------------------------------------------------------------------------------------

  /** `rows` is asked at each scrape. Several owners may answer for one metric, with different labels. */
  onCollect(metric: CollectedMetric, rows: () => Iterable<CollectedSample>): void {
    const collectors = this.collectors.get(metric);
    if (collectors === undefined) this.collectors.set(metric, [rows]);
    else collectors.push(rows);
  }

  /** The body of a scrape, in chunks of whole lines. The numbers are those of the moment of the call, of other workers those of when it reaches them. */
  expose(format: ExpositionFormat): AsyncGenerator<string, void, undefined> {
    if (this.others === undefined) return expose(this.collect(), format);
    // At once and not when the reader comes: each part must be added behind the one before it.
    return exposeLater(
      this.others().then(parts => this.collect(parts)),
      format,
    );
  }

  /** What this worker counts, for the one that shows it. */
  part(): MetricsPart {
    this.connections.reportAll();
    return {
      requests: this.requests.rows(),
      tcp: this.tcp.rows(),
      retries: this.retries.rows(),
      collected: new Map(Array.from(this.collectors, ([name, rows]) => [name, rows.flatMap(each => [...each()])])),
      thread: threadUsage(),
    };
  }

  /** All metrics as they stand now, and those of other workers as they were handed over. */
  collect(others: readonly MetricsPart[] = []): Family[] {
    this.connections.reportAll();
    const alone = others.length === 0;
    const own = { requests: this.requests, tcp: this.tcp, retries: this.retries };
    const { requests, tcp, retries } = alone ? own : this.merge(others);
    return [
      ...requestFamilies(requests),
      ...tcpFamilies(tcp),
      {
        name: 'outrider_retries_total',
        definition: TRAFFIC_METRICS.outrider_retries_total,
        samples: Array.from(retries.all(), ({ labels, offset }) => ({
          sharedLabels: { ...labels },
          value: retries.slots[offset]!,
        })),
      },
      ...Array.from(this.collectors, ([name, collectors]) => ({
        name,
        definition: COLLECTED_METRICS[name],
        samples: alone
          ? collectors.flatMap(rows => [...rows()])
          : together(name, [
              ...collectors.flatMap(rows => [...rows()]),
              ...others.flatMap(({ collected }) => collected.get(name) ?? []),
            ]),
      })),
      ...processFamilies(
        this.build,
        this.clock.wallMs(),
        { requests: requests.size, tcp: tcp.size, retries: retries.size },
        [threadUsage(), ...others.map(({ thread }) => thread)],
      ),
    ];
  }

  private merge(others: readonly MetricsPart[]) {
    const nowMs = this.clock.nowMs();
    const { merged } = this;
    const rows = <Table extends 'requests' | 'tcp' | 'retries'>(table: Table) => others.map(part => part[table]);
    return {
      requests: merged.requests.update([this.requests.rows(), ...rows('requests')], nowMs),
      tcp: merged.tcp.update([this.tcp.rows(), ...rows('tcp')], nowMs),
      retries: merged.retries.update([this.retries.rows(), ...rows('retries')], nowMs),
    };
  }

  private sweep(): void {
    const nowMs = this.clock.nowMs();
    for (const table of [this.requests, this.tcp, this.retries]) table.sweep(nowMs);
    this.methods.retain(
      Array.from(this.requests.all(), ({ labels }) => ({ service: serviceKey(labels), method: labels.method })),
    );
    this.sweepTimer = this.clock.setTimer(SWEEP_MS, () => this.sweep());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sweepTimer.cancel();
  }
}

async function* exposeLater(
  families: Promise<Family[]>,
  format: ExpositionFormat,
): AsyncGenerator<string, void, undefined> {
  yield* expose(await families, format);
}

/** What `MethodNames` counts by. */
export const serviceKey = (labels: {
  readonly destination_service: string;
  readonly destination_namespace: string;
}): string => `${labels.destination_service}.${labels.destination_namespace}`;

const hasOpenConnections = (slots: Float64Array, offset: number): boolean =>
  slots[offset + TCP_OPENED]! > slots[offset + TCP_CLOSED]!;

const OVERFLOW_TCP: TcpLabels = {
  reporter: OVERFLOW_LABEL,
  source_service: OVERFLOW_LABEL,
  source_namespace: OVERFLOW_LABEL,
  source_principal: OVERFLOW_LABEL,
  destination_service: OVERFLOW_LABEL,
  destination_namespace: OVERFLOW_LABEL,
  destination_principal: OVERFLOW_LABEL,
  route: OVERFLOW_LABEL,
  request_protocol: OVERFLOW_LABEL,
  connection_security_policy: OVERFLOW_LABEL,
};

const OVERFLOW_REQUEST: RequestLabels = {
  ...OVERFLOW_TCP,
  method: OVERFLOW_LABEL,
  response_code: OVERFLOW_LABEL,
  grpc_response_status: OVERFLOW_LABEL,
  response_flags: OVERFLOW_LABEL,
};

const OVERFLOW_RETRY: RetryLabels = {
  source_service: OVERFLOW_LABEL,
  source_namespace: OVERFLOW_LABEL,
  destination_service: OVERFLOW_LABEL,
  destination_namespace: OVERFLOW_LABEL,
  route: OVERFLOW_LABEL,
  reason: OVERFLOW_LABEL,
};
