/** `profile WORKLOAD`: where our two sidecars spend their time, by function. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Benchmark } from './benchmark.ts';
import { outrider } from './peers/ours.ts';
import { type CpuProfile, formatProfile, selfTimes } from './report/cpu-profile.ts';
import type { Workload } from './workloads/workload.ts';

export interface ProfileOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export const profile = async (
  benchmark: Benchmark,
  workload: Workload,
  options: ProfileOptions,
  progress: (line: string) => void,
): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'outrider-profile-'));
  try {
    const peer = outrider('ours', {}, ['--cpu-prof', `--cpu-prof-dir=${directory}`]);
    const result = await benchmark.measure(
      { ...workload, freshPair: false },
      { ...options, peers: [peer], runs: 1, progress },
    );
    const files = (await readdir(directory)).filter(name => name.endsWith('.cpuprofile'));
    if (files.length === 0) throw new Error(`no profile was written. ${result.skipped.join(' ')}`);
    const profiles = await Promise.all(
      files.map(async name => JSON.parse(await readFile(join(directory, name), 'utf8')) as CpuProfile),
    );
    return profiles.map(one => formatProfile(selfTimes(one))).join('\n');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
