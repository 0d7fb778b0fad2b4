/** Memory of a process and its descendants, from `/proc/PID/smaps_rollup` (proc(5)). */
import { readFileSync } from 'node:fs';
import { family } from './cpu.ts';

export interface Memory {
  readonly residentMb: number;
  /** Pages that only this process has and has written: what one more sidecar costs. */
  readonly privateDirtyMb: number;
}

/** Reads one `smaps_rollup`; its figures are in kB, ours in MB of 1,000,000 bytes. */
export const parseSmaps = (text: string): Memory => {
  const megabytes = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1_024) / 1_000_000;
  return { residentMb: megabytes('Rss'), privateDirtyMb: megabytes('Private_Dirty') };
};

export const memoryOf = (pid: number): Memory =>
  family([pid])
    .map(member => parseSmaps(readFileSync(`/proc/${member}/smaps_rollup`, 'latin1')))
    .reduce((sum, one) => ({
      residentMb: sum.residentMb + one.residentMb,
      privateDirtyMb: sum.privateDirtyMb + one.privateDirtyMb,
    }));
