import type { Random } from '../../common/random.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Picker } from './picker.ts';
import { SlowStart } from './slow-start.ts';

/**
 * One after the other; with weights evenly mixed (5, 1, 1 gives `a a b a c a a`, not `a a a a a b c`): each turn everyone gains its weight,
 * the richest is taken and pays the total. Begins anywhere, so that sidecars that start together do not march in step.
 * nginx: smooth weighted round robin. Envoy: ROUND_ROBIN.
 */
export class RoundRobin implements Picker {
  private readonly endpoints: readonly Endpoint[];
  private readonly slowStart: SlowStart;
  private readonly isUniform: boolean;
  private readonly total: number;
  /** Only with different weights. */
  private readonly gains: Float64Array;
  private next: number;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints;
    this.slowStart = new SlowStart(endpoints, random);
    this.isUniform = endpoints.every(endpoint => endpoint.weight === endpoints[0]?.weight);
    this.total = endpoints.reduce((total, endpoint) => total + endpoint.weight, 0);
    this.gains = Float64Array.from(endpoints, endpoint => random() * endpoint.weight);
    this.next = Math.floor(random() * endpoints.length);
  }

  pick(nowMs: number, except: Endpoint | undefined): Endpoint {
    const { endpoints } = this;
    let taken = this.take();
    for (let turns = 1; turns < endpoints.length; turns++) {
      if (taken !== except && !this.slowStart.passesOver(taken, nowMs)) return taken;
      taken = this.take();
    }
    return taken === except ? (endpoints[(endpoints.indexOf(except) + 1) % endpoints.length] as Endpoint) : taken;
  }

  private take(): Endpoint {
    const { endpoints, gains } = this;
    if (this.isUniform) {
      this.next = (this.next + 1) % endpoints.length;
      return endpoints[this.next] as Endpoint;
    }
    let richest = 0;
    for (let at = 0; at < gains.length; at++) {
      gains[at] = (gains[at] as number) + (endpoints[at] as Endpoint).weight;
      if ((gains[at] as number) > (gains[richest] as number)) richest = at;
    }
    gains[richest] = (gains[richest] as number) - this.total;
    return endpoints[richest] as Endpoint;
  }
}
