/** Reading V8's `.cpuprofile`: self time by function. */

/** The part of the format that is read here (Chrome DevTools Protocol, Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Microseconds of the monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  /** `name file:line`. */
  readonly place: string;
  readonly us: number;
}

const IDLE = new Set(['(idle)', '(root)']);

const placeOf = ({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string => {
  const file = url.split('/').slice(-3).join('/');
  return `${functionName || '(anonymous)'}${file && ` ${file}:${lineNumber + 1}`}`;
};

/** Busy time of each function itself, without what it calls, from `sinceUs` of the monotonic clock on; the most first. */
export const selfTimes = ({ nodes, samples, startTime, timeDeltas }: CpuProfile, sinceUs = 0): SelfTime[] => {
  const places = new Map(nodes.map(node => [node.id, placeOf(node.callFrame)]));
  const totals = new Map<string, number>();
  let now = startTime;
  samples.forEach((id, i) => {
    const place = places.get(id) ?? '(unknown)';
    now += timeDeltas[i] ?? 0;
    if (now >= sinceUs && !IDLE.has(place)) totals.set(place, (totals.get(place) ?? 0) + (timeDeltas[i] ?? 0));
  });
  return [...totals].map(([place, us]) => ({ place, us })).sort((x, y) => y.us - x.us);
};

const TOP = 40;

export const formatProfile = (times: readonly SelfTime[]): string => {
  const total = times.reduce((sum, { us }) => sum + us, 0);
  const lines = times
    .slice(0, TOP)
    .map(
      ({ place, us }) =>
        `${((us / total) * 100).toFixed(1).padStart(5)} % ${(us / 1_000).toFixed(0).padStart(7)} ms  ${place}`,
    );
  return `${(total / 1_000).toFixed(0)} ms busy, by self time:\n${lines.join('\n')}\n`;
};
