import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { PROCESS_METRICS } from './definitions.ts';
import type { Family, Sample } from './exposition.ts';

/** What runs, for `outrider_build_info`. */
export interface BuildInfo {
  readonly version: string;
  readonly nodeVersion: string;
}

/**
 * Metrics of this process. Nothing is sampled between scrapes: prom-client's own defaults run a timer 100 times a second for the lag of the
 * event loop and observe each garbage collection.
 */
export const processFamilies = (
  build: BuildInfo,
  wallMs: number,
  seriesByTable: Readonly<Record<string, number>>,
): Family[] => {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    family('outrider_build_info', [{ labels: { version: build.version, node_version: build.nodeVersion }, value: 1 }]),
    family(
      'outrider_metric_series',
      Object.entries(seriesByTable).map(([table, value]) => ({ labels: { table }, value })),
    ),
    family('outrider_event_loop_busy_seconds_total', [{ value: performance.eventLoopUtilization().active / 1_000 }]),
    family('process_cpu_seconds_total', [{ value: (user + system) / 1e6 }]),
    family('process_resident_memory_bytes', [{ value: rss }]),
    family('process_heap_bytes', [{ value: heapUsed }]),
    family('process_external_memory_bytes', [{ value: external }]),
    family('process_open_fds', openFileDescriptors()),
    family('process_start_time_seconds', [{ value: Math.round(wallMs / 1_000 - process.uptime()) }]),
  ];
};

const family = (name: keyof typeof PROCESS_METRICS, samples: readonly Sample[]): Family => ({
  name,
  definition: PROCESS_METRICS[name],
  samples,
});

/** Linux only. The one that reads the folder is not counted. */
const openFileDescriptors = (): Sample[] => {
  try {
    return [{ value: readdirSync('/proc/self/fd').length - 1 }];
  } catch {
    return [];
  }
};
