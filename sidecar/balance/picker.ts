import type { PolicyView } from '../../api/snapshot.ts';
import type { Random } from '../../common/random.ts';
import type { Endpoint } from '../upstream/endpoint.ts';

/** Chooses an instance for each attempt. Immutable but for counters; a new one is made when the instances change. */
export interface Picker {
  /** `except`: the instance of the attempt before, taken again only when there is no other. Undefined: there is none at all. */
  pick(nowMs: number, except: Endpoint | undefined): Endpoint | undefined;
}

/** Those that may be chosen now: not ejected, unless so many are that ejection itself must be wrong (Envoy: panic threshold). */
const candidates = (all: readonly Endpoint[], panicPercent: number): readonly Endpoint[] => {
  let healthy = 0;
  for (const endpoint of all) if (!endpoint.ejected) healthy++;
  if (healthy === all.length || healthy * 100 < all.length * panicPercent) return all;
  return all.filter(endpoint => !endpoint.ejected);
};

/** Power of two choices: two at random by weight, the cheaper one wins. */
class TwoChoices implements Picker {
  private readonly endpoints: readonly Endpoint[];
  private readonly cost: (endpoint: Endpoint, nowMs: number) => number;
  private readonly random: Random;
  private readonly weights: Float64Array;

  constructor(endpoints: readonly Endpoint[], cost: (endpoint: Endpoint, nowMs: number) => number, random: Random) {
    this.endpoints = endpoints;
    this.cost = cost;
    this.random = random;
    this.weights = cumulative(endpoints);
  }

  pick(nowMs: number, except: Endpoint | undefined): Endpoint | undefined {
    const { endpoints } = this;
    if (endpoints.length <= 1) return endpoints[0];
    const first = this.draw();
    let second = this.draw();
    for (let tries = 0; second === first && tries < 3; tries++) second = this.draw();
    if (first === second) return first === except ? this.other(except) : first;
    if (first === except) return second;
    if (second === except) return first;
    return this.cost(second, nowMs) < this.cost(first, nowMs) ? second : first;
  }

  private other(except: Endpoint): Endpoint {
    for (const endpoint of this.endpoints) if (endpoint !== except && endpoint.weight > 0) return endpoint;
    return except;
  }

  private draw(): Endpoint {
    return this.endpoints[indexOf(this.weights, this.random())] as Endpoint;
  }
}

class Weighted implements Picker {
  private readonly endpoints: readonly Endpoint[];
  private readonly next: () => number;
  private readonly weights: Float64Array;

  constructor(endpoints: readonly Endpoint[], next: () => number) {
    this.endpoints = endpoints;
    this.next = next;
    this.weights = cumulative(endpoints);
  }

  pick(_nowMs: number, except: Endpoint | undefined): Endpoint | undefined {
    let chosen = this.endpoints[indexOf(this.weights, this.next())];
    for (let tries = 0; chosen === except && tries < this.endpoints.length; tries++)
      chosen = this.endpoints[indexOf(this.weights, this.next())];
    return chosen;
  }
}

/** Running sums of the weights, scaled to 1. */
const cumulative = (endpoints: readonly Endpoint[]): Float64Array => {
  const sums = new Float64Array(endpoints.length);
  let total = 0;
  for (let i = 0; i < endpoints.length; i++) sums[i] = total += (endpoints[i] as Endpoint).weight;
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) / total;
  return sums;
};

const indexOf = (sums: Float64Array, point: number): number => {
  for (let i = 0; i < sums.length; i++) if (point < (sums[i] as number)) return i;
  return sums.length - 1;
};

/** The golden ratio's multiples fall evenly into [0, 1): a weighted round robin without state per instance (Weyl sequence). */
const GOLDEN = 0.618_033_988_749_894_9;

/** The picker for a policy. Instances without weight, and ejected ones, are left out. */
export const createPicker = (all: readonly Endpoint[], policy: PolicyView, random: Random): Picker => {
  const weighted = all.filter(endpoint => endpoint.weight > 0);
  const endpoints = candidates(weighted, policy.outlierDetection?.panicThresholdPercent ?? 0);
  switch (policy.loadBalancer) {
    case 'peakEwma':
      return new TwoChoices(
        endpoints,
        (endpoint, nowMs) => endpoint.latency.currentMs(nowMs) * (endpoint.active + 1),
        random,
      );
    case 'leastRequest':
      return new TwoChoices(endpoints, endpoint => endpoint.active + 1, random);
    case 'random':
      return new Weighted(endpoints, random);
    case 'roundRobin': {
      let at = random();
      return new Weighted(endpoints, () => {
        at = (at + GOLDEN) % 1;
        return at;
      });
    }
    default:
      return policy.loadBalancer satisfies never;
  }
};
