import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { PROCESS_METRICS } from './definitions.ts';
import type { Family, Sample } from './exposition.ts';

/** What runs, for `outrider_build_info`. */
export interface BuildInfo {
  readonly version: string;
  readonly nodeVersion: string;
}

/** What one thread uses of what each thread has for itself. */
export interface ThreadUsage {
  readonly busySeconds: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** Of the thread that calls. */
export const threadUsage = (): ThreadUsage => {
  const { heapUsed, external } = process.memoryUsage();
  return {
    busySeconds: performance.eventLoopUtilization().active / 1_000,
    heapBytes: heapUsed,
    externalBytes: external,
  };
};

/**
 * Metrics of this process. Nothing is sampled between scrapes: prom-client's own defaults run a timer 100 times a second for the lag of the
 * event loop and observe each garbage collection. `threads`: those that carry traffic, the first one first.
 */
export const processFamilies = (
  build: BuildInfo,
  wallMs: number,
  seriesByTable: Readonly<Record<string, number>>,
  threads: readonly ThreadUsage[],
): Family[] => {
  const rss = process.memoryUsage.rss();
  const { user, system } = process.cpuUsage();
  return [
    family('outrider_build_info', [{ labels: { version: build.version, node_version: build.nodeVersion }, value: 1 }]),
    family(
      'outrider_metric_series',
      Object.entries(seriesByTable).map(([table, value]) => ({ labels: { table }, value })),
    ),
    family('outrider_event_loop_busy_seconds_total', busySamples(threads)),
    family('process_cpu_seconds_total', [{ value: (user + system) / 1e6 }]),
    family('process_resident_memory_bytes', [{ value: rss }]),
    family('process_heap_bytes', [{ value: sumOf(threads, ({ heapBytes }) => heapBytes) }]),
    family('process_external_memory_bytes', [{ value: sumOf(threads, ({ externalBytes }) => externalBytes) }]),
    family('process_open_fds', openFileDescriptors()),
    family('process_start_time_seconds', [{ value: Math.round(wallMs / 1_000 - process.uptime()) }]),
  ];
};

const family = (name: keyof typeof PROCESS_METRICS, samples: readonly Sample[]): Family => ({
  name,
  definition: PROCESS_METRICS[name],
  samples,
});

const sumOf = (threads: readonly ThreadUsage[], amount: (thread: ThreadUsage) => number): number =>
  threads.reduce((sum, thread) => sum + amount(thread), 0);

/** A label tells several workers apart. */
const busySamples = (threads: readonly ThreadUsage[]): Sample[] =>
  threads.map(({ busySeconds }, worker) =>
    threads.length === 1 ? { value: busySeconds } : { labels: { worker: String(worker) }, value: busySeconds },
  );

/** Linux only. The one that reads the folder is not counted. */
const openFileDescriptors = (): Sample[] => {
  try {
    return [{ value: readdirSync('/proc/self/fd').length - 1 }];
  } catch {
    return [];
  }
};
