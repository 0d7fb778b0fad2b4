/** wrk: HTTP/1.1 load by an independent program. */
import type { Children } from '../chain/children.ts';
import type { LoadResult } from './load-result.ts';

export interface WrkOptions {
  readonly port: number;
  readonly path?: string;
  readonly connections: number;
  readonly seconds: number;
  /** A new connection for each request. */
  readonly reconnect?: boolean;
  /** A script for wrk to run: it can change what is sent. */
  readonly script?: string;
}

const MICROSECONDS: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 };
const BYTES: Readonly<Record<string, number>> = { B: 1, KB: 1_024, MB: 1_024 ** 2, GB: 1_024 ** 3, TB: 1_024 ** 4 };

const scaled = (match: RegExpExecArray | null, units: Readonly<Record<string, number>>): number =>
  match ? Number(match[1]) * (units[match[2]!] ?? Number.NaN) : Number.NaN;

/** Reads what `wrk --latency` prints. `bytes` includes response heads: wrk does not tell them apart. */
export const parseWrk = (text: string): LoadResult => {
  const requests = /(\d+) requests in /.exec(text)?.[1];
  const read = scaled(/requests in [\d.]+[a-z]+, ([\d.]+)([KMGT]?B) read/.exec(text), BYTES);
  const percentile = (share: number): number =>
    scaled(new RegExp(`^\\s+${share}%\\s+([\\d.]+)([a-z]+)`, 'm').exec(text), MICROSECONDS);
  const seconds = scaled(/requests in ([\d.]+)([a-z]+)/.exec(text), MICROSECONDS) / 1_000_000;
  const faults = [/Socket errors: .*/.exec(text)?.[0], /Non-2xx or 3xx responses: \d+/.exec(text)?.[0]].filter(
    fault => fault !== undefined,
  );
  if (requests === undefined) throw new Error(`wrk printed something else than a result: ${text.slice(0, 200)}`);
  return {
    requests: Number(requests),
    seconds,
    bytes: read,
    p50Us: percentile(50),
    p99Us: percentile(99),
    faults: faults.map(fault => `wrk: ${fault}.`),
  };
};

export const runWrk = async (children: Children, options: WrkOptions): Promise<LoadResult> => {
  const extra = [
    ...(options.reconnect ? ['-H', 'Connection: close'] : []),
    ...(options.script ? ['-s', options.script] : []),
  ];
  const url = `http://127.0.0.1:${options.port}${options.path ?? '/'}`;
  const args = [
    '-t1',
    `-c${options.connections}`,
    `-d${Math.max(1, Math.round(options.seconds))}s`,
    '--latency',
    ...extra,
    url,
  ];
  return parseWrk(await children.run('wrk', args));
};
