import type { OutlierDetectionView, PolicyView } from '../../api/snapshot.ts';
import type { Random } from '../../common/random.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { RandomChoice } from './random-choice.ts';
import { RoundRobin } from './round-robin.ts';
import { latencyCost, loadCost, TwoChoices } from './two-choices.ts';

/** Chooses an instance for each attempt, without allocating. Its instances stay the same; a new one is made when they change. */
export interface Picker {
  /** `except`: the instance of the attempt before, taken again only when there is no other. Undefined: there is none at all. */
  pick(nowMs: number, except: Endpoint | undefined): Endpoint | undefined;
}

const NOBODY: Picker = { pick: () => undefined };

/** The picker for a policy. Instances without weight, and ejected ones, are left out. */
export const createPicker = (all: readonly Endpoint[], policy: PolicyView, random: Random): Picker => {
  const endpoints = candidates(all, policy.outlierDetection);
  if (endpoints.length === 0) return NOBODY;
  switch (policy.loadBalancer) {
    case 'peakEwma':
      return new TwoChoices(endpoints, latencyCost, random);
    case 'leastRequest':
      return new TwoChoices(endpoints, loadCost, random);
    case 'roundRobin':
      return new RoundRobin(endpoints, random);
    case 'random':
      return new RandomChoice(endpoints, random);
    default:
      return policy.loadBalancer satisfies never;
  }
};

/**
 * Those that may be chosen: with a weight, and not ejected. When fewer than `panicPercent` of them are healthy, ejection itself must be
 * wrong, and everyone is asked again: better some errors than all traffic on the few that are left. Envoy: healthy_panic_threshold.
 */
const candidates = (all: readonly Endpoint[], detection: OutlierDetectionView | null): readonly Endpoint[] => {
  const weighted = all.filter(endpoint => endpoint.weight > 0);
  if (detection === null) return weighted;
  const healthy = weighted.filter(endpoint => endpoint.health === 'healthy');
  return healthy.length * 100 < weighted.length * detection.panicThresholdPercent ? weighted : healthy;
};
