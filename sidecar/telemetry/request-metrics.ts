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

const BOUNDS_MS = Float64Array.from(BUCKETS, bound => Number(bound) * 1_000);

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

/** The four metrics of requests, as they stand now. */
export const requestFamilies = (table: SeriesTable<RequestLabels>): Family[] => {
  const slots = table.slots.slice();
  const series = [...table.all()];
  const counter = (name: keyof typeof TRAFFIC_METRICS, valueAt: (offset: number) => number): Family => ({
    name,
    definition: TRAFFIC_METRICS[name],
    samples: series.values().map(({ labels, offset }) => ({ sharedLabels: labels, value: valueAt(offset) })),
  });
  return [
    counter('outrider_requests_total', offset => countAt(slots, offset)),
    {
      name: DURATION_NAME,
      definition: TRAFFIC_METRICS[DURATION_NAME],
      samples: series.values().flatMap(({ labels, offset }) => durationSamples(slots, offset, labels)),
    },
    counter('outrider_request_bytes_total', offset => slots[offset + REQUEST_BYTES]!),
    counter('outrider_response_bytes_total', offset => slots[offset + RESPONSE_BYTES]!),
  ];
};

const countAt = (slots: Float64Array, offset: number): number => {
  let count = 0;
  for (let bucket = 0; bucket <= BUCKETS.length; bucket++) count += slots[offset + FIRST_BUCKET + bucket]!;
  return count;
};

const durationSamples = (slots: Float64Array, offset: number, sharedLabels: object): Sample[] => {
  const samples: Sample[] = [];
  let count = 0;
  for (let bucket = 0; bucket <= BUCKETS.length; bucket++) {
    count += slots[offset + FIRST_BUCKET + bucket]!;
    samples.push({ metricName: `${DURATION_NAME}_bucket`, labels: LE[bucket]!, sharedLabels, value: count });
  }
  samples.push({ metricName: `${DURATION_NAME}_sum`, sharedLabels, value: slots[offset + DURATION_MS]! / 1_000 });
  samples.push({ metricName: `${DURATION_NAME}_count`, sharedLabels, value: count });
  return samples;
};

const DURATION_NAME = 'outrider_request_duration_seconds';
const LE: readonly { readonly le: string }[] = [...BUCKETS, '+Inf'].map(le => ({ le }));
