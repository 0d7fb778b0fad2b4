import { TRAFFIC_METRICS } from './definitions.ts';
import type { Family } from './exposition.ts';
import type { TcpLabels } from './labels.ts';
import type { SeriesTable } from './series-table.ts';

// The slots of a series.
export const TCP_OPENED = 0;
export const TCP_CLOSED = 1;
export const TCP_SENT = 2;
export const TCP_RECEIVED = 3;
export const TCP_WIDTH = 4;

/** The four metrics of raw TCP connections, as they stand now. */
export const tcpFamilies = (table: SeriesTable<TcpLabels>): Family[] => [
  family(table, 'outrider_tcp_connections_opened_total', TCP_OPENED),
  family(table, 'outrider_tcp_connections_closed_total', TCP_CLOSED),
  family(table, 'outrider_tcp_sent_bytes_total', TCP_SENT),
  family(table, 'outrider_tcp_received_bytes_total', TCP_RECEIVED),
];

const family = (table: SeriesTable<TcpLabels>, name: keyof typeof TRAFFIC_METRICS, slot: number): Family => ({
  name,
  definition: TRAFFIC_METRICS[name],
  samples: Array.from(table.all(), ({ labels, offset }) => ({
    sharedLabels: labels,
    value: table.slots[offset + slot]!,
  })),
});
