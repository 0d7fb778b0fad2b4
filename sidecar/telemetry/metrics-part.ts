import type { CollectedMetric } from './definitions.ts';
import type { Labels } from './exposition.ts';
import type { RequestLabels, RetryLabels, TcpLabels } from './labels.ts';
import type { ThreadUsage } from './process-metrics.ts';
import type { Rows } from './series-table.ts';

/** What an owner says at a scrape: a value and its labels. */
export interface CollectedSample {
  readonly labels: Labels;
  readonly value: number;
}

/** Everything that one worker counts, as it stands, for the thread that shows it. */
export interface MetricsPart {
  readonly requests: Rows<RequestLabels>;
  readonly tcp: Rows<TcpLabels>;
  readonly retries: Rows<RetryLabels>;
  readonly collected: ReadonlyMap<CollectedMetric, readonly CollectedSample[]>;
  readonly thread: ThreadUsage;
}

/** 1 when it is 1 in any worker. All others are sums. */
const LARGEST: ReadonlySet<CollectedMetric> = new Set(['outrider_overloaded']);

/** The samples of all workers, one for each set of labels. */
export const together = (name: CollectedMetric, samples: Iterable<CollectedSample>): CollectedSample[] => {
  const byLabels = new Map<string, CollectedSample>();
  for (const { labels, value } of samples) {
    const key = JSON.stringify(Object.values(labels));
    const before = byLabels.get(key)?.value ?? 0;
    byLabels.set(key, { labels, value: LARGEST.has(name) ? Math.max(before, value) : before + value });
  }
  return [...byLabels.values()];
};
