import type { Random } from '../../common/random.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import { SlowStart } from './slow-start.ts';

/** How often a draw is repeated to leave an instance out. Each time makes the rest less likely; in the end the next in line is taken. */
const MAX_DRAWS = 4;

/** Draws instances at random, each by its weight, new ones less often. Takes at least one instance, all with weights above 0. */
export class WeightedDraw {
  readonly isUniform: boolean;
  private readonly endpoints: readonly Endpoint[];
  private readonly random: Random;
  private readonly slowStart: SlowStart;
  /** Running sums of the weights. */
  private readonly sums: Float64Array;
  private readonly total: number;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints;
    this.random = random;
    this.slowStart = new SlowStart(endpoints, random);
    this.sums = new Float64Array(endpoints.length);
    let total = 0;
    for (let at = 0; at < endpoints.length; at++) {
      total += (endpoints[at] as Endpoint).weight;
      this.sums[at] = total;
    }
    this.total = total;
    this.isUniform = endpoints.every(endpoint => endpoint.weight === endpoints[0]?.weight);
  }

  /** The index of an instance. */
  draw(nowMs: number): number {
    let drawn = this.drawAny();
    for (
      let draws = 1;
      draws < MAX_DRAWS && this.slowStart.passesOver(this.endpoints[drawn] as Endpoint, nowMs);
      draws++
    )
      drawn = this.drawAny();
    return drawn;
  }

  /** The index of another one than `except`; of that one only when it is alone. */
  drawOther(except: Endpoint, nowMs: number): number {
    const { endpoints } = this;
    for (let draws = 0; draws < MAX_DRAWS; draws++) {
      const drawn = this.draw(nowMs);
      if (endpoints[drawn] !== except) return drawn;
    }
    return (endpoints.indexOf(except) + 1) % endpoints.length;
  }

  /** Whether some instances are held back at present. */
  isSlow(nowMs: number): boolean {
    return this.slowStart.isOn(nowMs);
  }

  private drawAny(): number {
    const { endpoints, sums } = this;
    if (this.isUniform) return Math.floor(this.random() * endpoints.length);
    const point = this.random() * this.total;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (point < (sums[middle] as number)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
