/** Where a benchmark ran, and with what. */
import { cpus, release, totalmem, type } from 'node:os';
import { programVersion } from '../chain/programs.ts';
import type { Peer } from '../peers/peer.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  /** Program and version; only programs that are there. */
  readonly versions: readonly (readonly [program: string, version: string])[];
}

export const describeMachine = (peers: readonly Peer[]): Machine => {
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
