/** `profile WORKLOAD`: where our two sidecars spend their time under load, by function. */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Benchmark } from './benchmark.ts';
import { outrider } from './peers/ours.ts';
import { type CpuProfile, formatProfile, selfTimes } from './report/cpu-profile.ts';
import type { Run, Sample, Workload } from './workloads/workload.ts';

export interface ProfileOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Folder that keeps the `.cpuprofile` files, for a profile viewer; undefined: they are removed. */
  readonly keep: string | undefined;
  readonly progress: (line: string) => void;
}

/** V8 stamps its samples with the clock that `hrtime` reads, in microseconds. */
const monotonicUs = (): number => Number(process.hrtime.bigint() / 1_000n);

/** Runs the workload once, warm-up left out of the profile, and returns the text to print. */
export const profile = async (benchmark: Benchmark, workload: Workload, options: ProfileOptions): Promise<string> => {
  const { progress, seconds, warmUpSeconds } = options;
  const directory = options.keep === undefined ? await benchmark.folder() : resolve(options.keep);
  let pids: readonly number[] = [];
  let warmAtUs = 0;
  const watched: Workload = {
    ...workload,
    measure(run: Run): Promise<Sample> {
      pids = run.pair.pids;
      warmAtUs = monotonicUs() + warmUpSeconds * 1_000_000;
      return workload.measure(run);
    },
  };
  const peer = outrider({ name: 'ours', nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${directory}`] });
  const { samples, skipped } = await benchmark.measure(watched, {
    peers: [peer],
    runs: 1,
    seconds,
    warmUpSeconds,
    progress,
  });
  if (samples.size === 0) throw new Error(skipped.join(' '));
  const parts: string[] = [];
  for (const file of (await readdir(directory)).filter(name => name.endsWith('.cpuprofile'))) {
    const side = pids.findIndex(pid => file.includes(`.${pid}.`));
    const profile = JSON.parse(await readFile(join(directory, file), 'utf8')) as CpuProfile;
    parts.push(`${side === 0 ? 'A' : 'B'} (${file}): ${formatProfile(selfTimes(profile, warmAtUs))}`);
  }
  return parts.toSorted().join('\n');
};
