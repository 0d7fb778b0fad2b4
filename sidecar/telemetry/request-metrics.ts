import { TRAFFIC_METRICS } from './definitions.ts';
import type { Family, Sample } from './exposition.ts';
import type { RequestLabels } from './labels.ts';
import type { SeriesTable } from './series-table.ts';

/** Upper bounds of the histogram's buckets in seconds, as they are written: OpenMetrics asks for a fraction. */
export const BUCKETS = [
  '0.0005',
  '0.001',
  '0.0025',
  '0.005',
  '0.01',
  '0.025',
  '0.05',
  '0.1',
  '0.25',
  '0.5',
  '1.0',
  '2.5',
  '5.0',
  '10.0',
  '30.0',
] as const;

const BOUNDS_MS: readonly number[] = BUCKETS.map(bound => Number(bound) * 1_000);

// The slots of a series. A request falls into one bucket; the last one has no bound. Bounds add up at the scrape.
const DURATION_MS = 0;
const REQUEST_BYTES = 1;
const RESPONSE_BYTES = 2;
const FIRST_BUCKET = 3;
export const REQUEST_WIDTH: number = FIRST_BUCKET + BUCKETS.length + 1;

export const recordRequest = (
  slots: Float64Array,
  offset: number,
  durationMs: number,
  requestBytes: number,
  responseBytes: number,
): void => {
  slots[offset + DURATION_MS]! += durationMs;
  slots[offset + REQUEST_BYTES]! += requestBytes;
  slots[offset + RESPONSE_BYTES]! += responseBytes;
  let bucket = 0;
  while (bucket < BOUNDS_MS.length && durationMs > BOUNDS_MS[bucket]!) bucket++;
  slots[offset + FIRST_BUCKET + bucket]! += 1;
};

/** The four metrics of requests. */
export const requestFamilies = (table: SeriesTable<RequestLabels>): Family[] => {
  const { slots } = table;
  const counts: Sample[] = [];
  const durations: Sample[] = [];
  const requestBytes: Sample[] = [];
  const responseBytes: Sample[] = [];
  for (const { labels, offset } of table.all()) {
    const sharedLabels = labels as RequestLabels & Readonly<Record<string, string>>;
    let count = 0;
    for (let bucket = 0; bucket <= BUCKETS.length; bucket++) {
      count += slots[offset + FIRST_BUCKET + bucket]!;
      durations.push({ metricName: BUCKET_NAME, labels: LE[bucket]!, sharedLabels, value: count });
    }
    durations.push({ metricName: SUM_NAME, sharedLabels, value: slots[offset + DURATION_MS]! / 1_000 });
    durations.push({ metricName: COUNT_NAME, sharedLabels, value: count });
    counts.push({ sharedLabels, value: count });
    requestBytes.push({ sharedLabels, value: slots[offset + REQUEST_BYTES]! });
    responseBytes.push({ sharedLabels, value: slots[offset + RESPONSE_BYTES]! });
  }
  return [
    { name: 'outrider_requests_total', definition: TRAFFIC_METRICS.outrider_requests_total, samples: counts },
    { name: DURATION_NAME, definition: TRAFFIC_METRICS[DURATION_NAME], samples: durations },
    {
      name: 'outrider_request_bytes_total',
      definition: TRAFFIC_METRICS.outrider_request_bytes_total,
      samples: requestBytes,
    },
    {
      name: 'outrider_response_bytes_total',
      definition: TRAFFIC_METRICS.outrider_response_bytes_total,
      samples: responseBytes,
    },
  ];
};

const DURATION_NAME = 'outrider_request_duration_seconds';
const BUCKET_NAME = `${DURATION_NAME}_bucket`;
const SUM_NAME = `${DURATION_NAME}_sum`;
const COUNT_NAME = `${DURATION_NAME}_count`;
const LE: readonly { readonly le: string }[] = [...BUCKETS, '+Inf'].map(le => ({ le }));
