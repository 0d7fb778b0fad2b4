/** Where a benchmark ran, and with what. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { programVersion } from '../chain/programs.ts';
import type { Peer } from '../peers/peer.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  /** Of the last minute before the benchmark began: what else was running. */
  readonly loadAverage: number;
  /** Share of CPU time that the hypervisor gave to others during the benchmark, 0–100. */
  readonly stolenPercent: number;
  /** Program and version; only programs that are there. */
  readonly versions: readonly (readonly [program: string, version: string])[];
}

/** Ticks of `/proc/stat` since boot: what the hypervisor took, and everything. */
const readTicks = (): { stolen: number; all: number } => {
  const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]!.split(/ +/);
  const counts = ticks.slice(0, 8).map(Number);
  return { stolen: counts[7] ?? 0, all: counts.reduce((sum, count) => sum + count, 0) };
};

/** Call before the benchmark; call what it returns after it. */
export const watchMachine = (peers: readonly Peer[]): (() => Machine) => {
  const loadAverage = loadavg()[0] ?? 0;
  const before = readTicks();
  return () => {
    const after = readTicks();
    const stolenPercent = ((after.stolen - before.stolen) / (after.all - before.all || 1)) * 100;
    return { ...describeMachine(peers), loadAverage, stolenPercent };
  };
};

const describeMachine = (peers: readonly Peer[]): Omit<Machine, 'loadAverage' | 'stolenPercent'> => {
  const tools = [
    ['wrk', programVersion('wrk', ['-v'])],
    ['h2load', programVersion('h2load', ['--version'])],
    ['nginx (app)', programVersion('nginx', ['-v'])],
  ] as const;
  const versions = [...peers.map(peer => [peer.name, peer.version()] as const), ...tools];
  return {
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: `${type()} ${release()}`,
    versions: versions.flatMap(([program, version]) => (version ? [[program, version] as const] : [])),
  };
};
