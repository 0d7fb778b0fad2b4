import type { HeadLabels, Outcome } from './labels.ts';
import type { Metrics, TcpSeries } from './metrics.ts';
import type { Moved } from './open-connections.ts';
import { OutcomeSeries } from './outcome-series.ts';

/** What there is to count of an exchange that ended. */
export interface Ended extends Outcome, Moved {}

/** The counters of all exchanges with one head. Owned by the head's plan. */
export class HeadCounters {
  readonly labels: HeadLabels;
  private readonly metrics: Metrics;
  private readonly outcomes: OutcomeSeries;
  private tcp: TcpSeries | undefined = undefined;

  constructor(metrics: Metrics, labels: HeadLabels) {
    this.metrics = metrics;
    this.labels = labels;
    this.outcomes = new OutcomeSeries(metrics, labels);
  }

  requestEnded(ended: Ended, durationMs: number): void {
    this.metrics.record(this.outcomes.find(ended), durationMs, ended.requestBytes, ended.responseBytes);
  }

  tcpOpened(connection: Moved): void {
    this.metrics.connections.opened(connection, this.tcpSeries());
  }

  tcpClosed(connection: Moved): void {
    this.metrics.connections.closed(connection, () => this.tcpSeries());
  }

  private tcpSeries(): TcpSeries {
    if (this.tcp === undefined || !this.tcp.live) {
      const { method: _method, ...labels } = this.labels;
      this.tcp = this.metrics.tcpSeries(labels);
    }
    return this.tcp;
  }
}
