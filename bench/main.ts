/** `npm run bench`: measures a pair of sidecars beside pairs of other proxies. See `--help`. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type BenchmarkArguments, readArguments, USAGE } from './arguments.ts';
import { Benchmark } from './benchmark.ts';
import { Children } from './chain/children.ts';
import { PEERS } from './peers/all.ts';
import { before } from './peers/ours.ts';
import type { Peer } from './peers/peer.ts';
import { profile } from './profile.ts';
import { watchMachine } from './report/machine.ts';
import { formatMarkdown, type Report } from './report/markdown.ts';
import { TARGETS } from './report/targets.ts';
import { judge, type WorkloadResult } from './report/verdict.ts';
import { WORKLOADS } from './workloads/all.ts';
import type { Workload } from './workloads/workload.ts';

const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const chooseWorkloads = (names: readonly string[]): readonly Workload[] => {
  const unknown = names.find(name => !WORKLOADS.some(workload => workload.name === name));
  if (unknown !== undefined) throw new Error(`there is no workload ${unknown}; --list shows all`);
  return names.length === 0 ? WORKLOADS : WORKLOADS.filter(workload => names.includes(workload.name));
};

/** Ours are always among them: a ratio needs both. */
const choosePeers = ({ peers, before: workTree }: BenchmarkArguments): readonly Peer[] => [
  ...PEERS.filter(peer => peers.length === 0 || peer.name.startsWith('ours') || peers.includes(peer.name)),
  ...(workTree === undefined ? [] : [before(workTree)]),
];

const json = (report: Report): string =>
  JSON.stringify(report, (_key, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value), 2);

/** Measures, writes the report, and returns the exit code. */
const run = async (
  benchmark: Benchmark,
  workloads: readonly Workload[],
  options: BenchmarkArguments,
): Promise<number> => {
  const peers = choosePeers(options);
  const results: WorkloadResult[] = [];
  const machine = watchMachine(peers);
  for (const workload of workloads) results.push(await benchmark.measure(workload, { ...options, peers, progress }));
  const measured = new Set(workloads.map(workload => workload.name));
  const report: Report = {
    machine: machine(),
    date: new Date().toISOString(),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    runs: options.runs,
    seconds: options.seconds,
    results,
    verdicts: TARGETS.filter(target => measured.has(target.workload)).map(target => judge(target, results)),
  };
  const markdown = formatMarkdown(report);
  if (options.results !== undefined) await writeFile(options.results, markdown);
  process.stdout.write(options.json ? `${json(report)}\n` : markdown);
  return options.strict && report.verdicts.some(verdict => verdict.outcome === 'does not hold') ? 1 : 0;
};

const main = async (options: BenchmarkArguments, workloads: readonly Workload[]): Promise<number> => {
  if (options.command === 'help' || options.command === 'list') {
    process.stdout.write(
      options.command === 'help'
        ? USAGE
        : `${WORKLOADS.map(({ name, title }) => `${name.padEnd(20)}${title}`).join('\n')}\n`,
    );
    return 0;
  }
  await using children = new Children();
  await using benchmark = await Benchmark.create(children);
  process.once('exit', () => {
    children.killAll();
    benchmark.remove();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  if (options.command === 'run') return await run(benchmark, workloads, options);
  process.stdout.write(await profile(benchmark, workloads[0]!, { ...options, progress }));
  return 0;
};

const fail = (code: number, error: unknown): void => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = code;
};

// Debian keeps haproxy and nginx in /usr/sbin, which ordinary users do not have on their PATH.
process.env.PATH = `${process.env.PATH ?? ''}:/usr/sbin`;

try {
  const options = readArguments(process.argv.slice(2), RESULTS);
  const workloads = chooseWorkloads(options.command === 'profile' ? [options.workload] : options.only);
  main(options, workloads).then(
    code => {
      process.exitCode = code;
    },
    (error: unknown) => fail(1, error),
  );
} catch (error) {
  fail(2, `${(error as Error).message}\n${USAGE}`);
}
