import type { TcpLabels } from './labels.ts';
import type { Series } from './series-table.ts';

/** What a raw TCP connection has moved since it began. */
export interface Moved {
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** Where it is counted. */
export interface TcpCounters {
  tcpOpened(series: Series<TcpLabels>): void;
  tcpBytes(series: Series<TcpLabels>, sentBytes: number, receivedBytes: number): void;
  tcpClosed(series: Series<TcpLabels>): void;
}

interface Counted {
  readonly series: Series<TcpLabels>;
  requestBytes: number;
  responseBytes: number;
}

/** Raw TCP connections under way, and how much of each was counted: a pool's connection lasts for hours, and shows while it does. Owned by `Metrics`. */
export class OpenConnections {
  private readonly counters: TcpCounters;
  private readonly open = new Map<Moved, Counted>();

  constructor(counters: TcpCounters) {
    this.counters = counters;
  }

  opened(connection: Moved, series: Series<TcpLabels>): void {
    this.counters.tcpOpened(series);
    this.open.set(connection, { series, requestBytes: 0, responseBytes: 0 });
  }

  /** `series`: for a connection that was refused. It counts as opened and closed, without a byte: what the mesh said was not for its caller. */
  closed(connection: Moved, series: () => Series<TcpLabels>): void {
    const counted = this.open.get(connection);
    if (counted === undefined) {
      const refused = series();
      this.counters.tcpOpened(refused);
      this.counters.tcpClosed(refused);
      return;
    }
    this.report(connection, counted);
    this.counters.tcpClosed(counted.series);
    this.open.delete(connection);
  }

  /** Counts what was moved since the last time. For each scrape. */
  reportAll(): void {
    for (const [connection, counted] of this.open) this.report(connection, counted);
  }

  private report({ requestBytes, responseBytes }: Moved, counted: Counted): void {
    this.counters.tcpBytes(counted.series, responseBytes - counted.responseBytes, requestBytes - counted.requestBytes);
    counted.requestBytes = requestBytes;
    counted.responseBytes = responseBytes;
  }
}
