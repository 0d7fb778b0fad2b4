/** CPU time of processes and all their descendants, from `/proc/PID/stat` (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second of `/proc`: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcessStat {
  readonly parent: number;
  readonly ticks: number;
}

/** Parent and user + system ticks out of one `stat` line; the name in parentheses may hold anything, also parentheses. */
export const parseStat = (line: string): ProcessStat => {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
};

const readAll = (): Map<number, ProcessStat> => {
  const all = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      all.set(Number(name), parseStat(readFileSync(`/proc/${name}/stat`, 'latin1')));
    } catch {
      // It ended between the two reads.
    }
  }
  return all;
};

/** `roots` and everything that descends from them. */
export const family = (roots: readonly number[], all: ReadonlyMap<number, ProcessStat> = readAll()): number[] => {
  const members = new Set(roots);
  for (let grew = true; grew; ) {
    grew = false;
    for (const [pid, { parent }] of all) {
      if (members.has(pid) || !members.has(parent)) continue;
      members.add(pid);
      grew = true;
    }
  }
  return [...members];
};

/** User + system time, in microseconds, of `roots` and their descendants so far. Resolution: 10 ms. */
export const cpuTimeUs = (roots: readonly number[]): number => {
  const all = readAll();
  const ticks = family(roots, all).reduce((sum, pid) => sum + (all.get(pid)?.ticks ?? 0), 0);
  return (ticks * 1_000_000) / TICKS_PER_SECOND;
};

/** The same for each thread of one process, by thread id. */
export const threadTimesUs = (pid: number): Map<number, number> => {
  const times = new Map<number, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const { ticks } = parseStat(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'));
    times.set(Number(thread), (ticks * 1_000_000) / TICKS_PER_SECOND);
  }
  return times;
};
