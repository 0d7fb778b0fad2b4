/** Reading CPU time and memory around a load. */
import { control } from '../chain/control.ts';
import type { LoadResult } from '../load/load-result.ts';
import { cpuTimeUs } from '../usage/cpu.ts';
import type { Figure, Run, Sample } from './workload.ts';

/** Sends load for so many seconds. */
export type Drive = (run: Run, seconds: number) => Promise<LoadResult>;

const MEGABYTE = 1_000_000;

const requestFigures = (result: LoadResult, cpuUs: number): Partial<Record<Figure, number>> => ({
  cpuUsPerRequest: cpuUs / result.requests,
  requestsPerSecond: result.requests / result.seconds,
  p50Us: result.p50Us,
  p99Us: result.p99Us,
});

const byteFigures = (result: LoadResult, cpuUs: number): Partial<Record<Figure, number>> => ({
  megabytesPerSecond: result.bytes / MEGABYTE / result.seconds,
  cpuMsPerGigabyte: cpuUs / 1_000 / (result.bytes / MEGABYTE / 1_000),
});

/**
 * Control, warm-up, then the load with the pair's CPU time read around it. The app must have counted at least as many
 * requests as the driver saw answered: an answer that came from elsewhere would be a cheap one.
 */
export const measureLoad =
  (drive: Drive, about: 'requests' | 'bytes' = 'requests') =>
  async (run: Run): Promise<Sample> => {
    await control(run.app, run.pair.port);
    await drive(run, run.warmUpSeconds);
    const counted = await run.app.count();
    const cpuBefore = cpuTimeUs(run.pair.pids);
    const result = await drive(run, run.seconds);
    const cpuUs = cpuTimeUs(run.pair.pids) - cpuBefore;
    const reached = (await run.app.count()) - counted;
    const faults = [...result.faults];
    if (reached < result.requests) faults.push(`Of ${result.requests} requests the app counted only ${reached}.`);
    if (result.requests === 0 && about === 'requests') faults.push('No request was answered.');
    return { figures: about === 'requests' ? requestFigures(result, cpuUs) : byteFigures(result, cpuUs), faults };
  };
