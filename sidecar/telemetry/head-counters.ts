import type { HeadLabels, Outcome } from './labels.ts';
import type { Metrics, TcpSeries } from './metrics.ts';
import { OutcomeSeries } from './outcome-series.ts';

/** What there is to count of an exchange that ended. */
export interface Ended extends Outcome {
  readonly requestBytes: number;
  readonly responseBytes: number;
}

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

  tcpOpened(): void {
    this.metrics.tcpOpened(this.tcpSeries());
  }

  tcpClosed(ended: Ended): void {
    const series = this.tcpSeries();
    this.metrics.tcpBytes(series, ended.responseBytes, ended.requestBytes);
    this.metrics.tcpClosed(series);
  }

  private tcpSeries(): TcpSeries {
    if (this.tcp === undefined || !this.tcp.live) {
      const { method: _method, ...labels } = this.labels;
      this.tcp = this.metrics.tcpSeries(labels);
    }
    return this.tcp;
  }
}
