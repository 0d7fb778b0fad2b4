import type { Random } from '../../common/random.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { Picker } from './picker.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Any instance, by weight. Envoy: RANDOM. */
export class RandomChoice implements Picker {
  private readonly endpoints: readonly Endpoint[];
  private readonly weighted: WeightedDraw;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints;
    this.weighted = new WeightedDraw(endpoints, random);
  }

  pick(nowMs: number, except: Endpoint | undefined): Endpoint {
    const { endpoints, weighted } = this;
    if (endpoints.length === 1) return endpoints[0] as Endpoint;
    return endpoints[except === undefined ? weighted.draw(nowMs) : weighted.drawOther(except, nowMs)] as Endpoint;
  }
}
