/** Whether a target holds, from the samples of one benchmark. */
import type { PeerName } from '../peers/peer.ts';
import type { Figure, Sample } from '../workloads/workload.ts';
import { ratios, type Summary, summarize } from './statistics.ts';
import type { Target } from './targets.ts';

/** The samples of one workload: per peer, one for each round. */
export interface WorkloadResult {
  readonly workload: string;
  readonly title: string;
  readonly samples: ReadonlyMap<PeerName, readonly Sample[]>;
  /** Why peers, or the whole workload, did not take part. */
  readonly skipped: readonly string[];
}

export type Outcome = 'meets the goal' | 'holds' | 'does not hold' | 'not measured';

export interface Verdict {
  readonly target: Target;
  readonly outcome: Outcome;
  /** What was compared with the bounds: ratios, or the figure itself. */
  readonly measured: Summary | undefined;
  /** Rounds whose load driver saw errors; one is enough for the target not to hold. */
  readonly faulty: number;
}

/** One figure of each round; undefined where the round had faults or lacks the figure. */
export const figureByRound = (samples: readonly Sample[], figure: Figure): (number | undefined)[] =>
  samples.map(sample => (sample.faults.length > 0 ? undefined : sample.figures[figure]));

const within = (target: Target, value: number, limit: number): boolean =>
  target.bound === 'atMost' ? value <= limit : value >= limit;

const faultyRounds = (samples: readonly Sample[]): number => samples.filter(sample => sample.faults.length > 0).length;

export const judge = (target: Target, results: readonly WorkloadResult[]): Verdict => {
  const samplesOf = (workload: string, peer: PeerName): readonly Sample[] =>
    results.find(result => result.workload === workload)?.samples.get(peer) ?? [];
  const peer = target.of ?? 'ours';
  const ours = samplesOf(target.workload, peer);
  const own = figureByRound(ours, target.figure);
  const values = (): number[] => {
    const { against } = target;
    if (against === undefined) return own.filter(value => value !== undefined);
    const others = 'peer' in against ? samplesOf(target.workload, against.peer) : samplesOf(against.workload, peer);
    return ratios(own, figureByRound(others, target.figure));
  };
  const measured = summarize(values());
  const faulty = faultyRounds(ours);
  const outcome = (): Outcome => {
    if (faulty > 0) return 'does not hold';
    if (measured === undefined) return 'not measured';
    if (within(target, measured.median, target.goal)) return 'meets the goal';
    return within(target, measured.median, target.must) ? 'holds' : 'does not hold';
  };
  return { target, outcome: outcome(), measured, faulty };
};
