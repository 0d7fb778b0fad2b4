/** Reading CPU time and memory around a load. */
import { control } from '../chain/control.ts';
import type { LoadResult } from '../load/load-result.ts';
import { cpuTimeUs } from '../usage/cpu.ts';
import type { Figure, Run, Sample } from './workload.ts';

/** Sends load for so many seconds. */
export type Drive = (run: Run, seconds: number) => Promise<LoadResult>;

const MEGABYTE = 1_000_000;

/** Which figures a workload is about. */
type ReadFigures = (result: LoadResult, cpuUs: number) => Partial<Record<Figure, number>>;

const megabytesPerSecond = (result: LoadResult): number => result.bytes / MEGABYTE / result.seconds;

export const aboutRequests: ReadFigures = (result, cpuUs) => ({
  cpuUsPerRequest: cpuUs / result.requests,
  requestsPerSecond: result.requests / result.seconds,
  p50Us: result.p50Us,
  p99Us: result.p99Us,
});

export const aboutBytes: ReadFigures = (result, cpuUs) => ({
  megabytesPerSecond: megabytesPerSecond(result),
  cpuMsPerGigabyte: cpuUs / 1_000 / (result.bytes / MEGABYTE / 1_000),
});

/** For calls beside a transfer: who caused the CPU time can't be told. */
export const aboutLatency: ReadFigures = result => ({
  megabytesPerSecond: megabytesPerSecond(result),
  requestsPerSecond: result.requests / result.seconds,
  p50Us: result.p50Us,
  p99Us: result.p99Us,
});

/**
 * Control, warm-up, then the load with the pair's CPU time read around it. The app must have counted at least as many
 * requests as the driver saw answered: an answer that came from elsewhere would be a cheap one.
 */
export const measureLoad =
  (drive: Drive, readFigures: ReadFigures = aboutRequests) =>
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
    if (result.requests === 0 && readFigures !== aboutBytes) faults.push('No request was answered.');
    return { figures: readFigures(result, cpuUs), faults };
  };
