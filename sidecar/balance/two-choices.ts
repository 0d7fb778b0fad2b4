import type { Random } from '../../common/random.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Picker } from './picker.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** What one more request would cost at an instance. `active`: what is under way, in relation to its weight. */
export type Cost = (endpoint: Endpoint, active: number, nowMs: number) => number;

/** Costs that differ by less are the same; else the fading of old latencies alone would decide, and not the weights. */
const MARGIN = 0.05;
/** One that was drawn twice is taken unless it costs so many times as much as another: it hangs or is overloaded, and weights do not count. */
const FAR = 4;

/**
 * Power of two choices: two instances are drawn, the cheaper one is taken (Mitzenmacher 1996; Envoy LEAST_REQUEST, Finagle p2c).
 * With equal weights they are two different ones. With others both are drawn by weight, and may be the same: so the shares are the weights
 * while all cost the same, and where they differ the load counts in relation to the weight.
 */
export class TwoChoices implements Picker {
  private readonly endpoints: readonly Endpoint[];
  private readonly cost: Cost;
  private readonly random: Random;
  private readonly weighted: WeightedDraw;
  private readonly meanWeight: number;

  constructor(endpoints: readonly Endpoint[], cost: Cost, random: Random) {
    this.endpoints = endpoints;
    this.cost = cost;
    this.random = random;
    this.weighted = new WeightedDraw(endpoints, random);
    this.meanWeight = endpoints.reduce((total, endpoint) => total + endpoint.weight, 0) / endpoints.length;
  }

  pick(nowMs: number, except: Endpoint | undefined): Endpoint {
    const { endpoints, weighted } = this;
    if (endpoints.length === 1) return endpoints[0] as Endpoint;
    const at = weighted.draw(nowMs);
    const first = endpoints[at] as Endpoint;
    const apart = weighted.isUniform && !weighted.isSlow(nowMs);
    const second = endpoints[apart ? this.otherThan(at) : weighted.draw(nowMs)] as Endpoint;
    if (first === except)
      return second === except ? (endpoints[weighted.drawOther(except, nowMs)] as Endpoint) : second;
    if (second === except) return first;
    if (second === first) {
      const other = endpoints[this.otherThan(at)] as Endpoint;
      return other !== except && this.costOf(first, nowMs) > FAR * this.costOf(other, nowMs) ? other : first;
    }
    return this.costOf(second, nowMs) < this.costOf(first, nowMs) * (1 - MARGIN) ? second : first;
  }

  private costOf(endpoint: Endpoint, nowMs: number): number {
    return this.cost(endpoint, (endpoint.active * this.meanWeight) / endpoint.weight, nowMs);
  }

  /** The index of each of the others with the same chance. */
  private otherThan(at: number): number {
    const { length } = this.endpoints;
    return (at + 1 + Math.floor(this.random() * (length - 1))) % length;
  }
}

/** Latency and load together. Finagle, Linkerd: PeakEwma. */
export const latencyCost: Cost = (endpoint, active, nowMs) => endpoint.latency.cost(active, nowMs);

/** Load alone. Envoy: LEAST_REQUEST. */
export const loadCost: Cost = (_endpoint, active) => active + 1;
