/** h2load: HTTP/2 load by an independent program, with the same head on every request. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Children } from '../chain/children.ts';
import { Latencies } from './latencies.ts';
import type { LoadResult } from './load-result.ts';

export interface H2loadOptions {
  readonly port: number;
  readonly path?: string;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly streams: number;
  readonly seconds: number;
  /** `name: value` each. */
  readonly headers?: readonly string[];
  /** A file to POST. */
  readonly bodyFile?: string;
  /** For the log of latencies. */
  readonly directory: string;
}

/** Reads h2load's log: start, status and microseconds of each request, separated by tabs. */
export const parseH2loadLog = (log: string): Latencies => {
  const latencies = new Latencies();
  let from = 0;
  for (let end = log.indexOf('\n'); end >= 0; end = log.indexOf('\n', from)) {
    latencies.add(Number(log.slice(log.lastIndexOf('\t', end) + 1, end)));
    from = end + 1;
  }
  return latencies;
};

/** Reads what h2load prints, and its log for the latencies. */
export const parseH2load = (text: string, log: string): LoadResult => {
  const [, seconds, unit] = /finished in ([\d.]+)(ms|s|us)/.exec(text) ?? [];
  const counts =
    /requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(
      text,
    );
  const data = /\((\d+)\) data/.exec(text)?.[1];
  if (seconds === undefined || counts === null)
    throw new Error(`h2load printed something else than a result: ${text.slice(0, 200)}`);
  const [succeeded, failed, errored, timedOut] = counts.slice(1).map(Number) as [number, number, number, number];
  const latencies = parseH2loadLog(log);
  const bad = failed + errored + timedOut;
  const scale = unit === 's' ? 1 : unit === 'ms' ? 1_000 : 1_000_000;
  return {
    requests: succeeded,
    seconds: Number(seconds) / scale,
    bytes: Number(data ?? 0),
    p50Us: latencies.percentile(0.5),
    p99Us: latencies.percentile(0.99),
    faults: bad > 0 ? [`h2load: ${failed} failed, ${errored} errored, ${timedOut} timed out.`] : [],
  };
};

export const runH2load = async (children: Children, options: H2loadOptions): Promise<LoadResult> => {
  const log = join(options.directory, 'h2load.log');
  const shape = [
    '-t1',
    `-c${options.connections}`,
    `-m${options.streams}`,
    '-D',
    String(options.seconds),
    `--log-file=${log}`,
  ];
  const headers = (options.headers ?? []).flatMap(header => ['-H', header]);
  const body = options.bodyFile ? ['-d', options.bodyFile] : [];
  const text = await children.run('h2load', [
    ...shape,
    ...headers,
    ...body,
    `http://127.0.0.1:${options.port}${options.path ?? '/'}`,
  ]);
  const result = parseH2load(text, await readFile(log, 'latin1'));
  await rm(log);
  return result;
};
