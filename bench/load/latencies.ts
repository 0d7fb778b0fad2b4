/** Latencies in a histogram with buckets of at most 1.6 % width, so that recording one costs a few nanoseconds. */

/** Buckets per power of two: 64. */
const SUB_BITS = 6;
const SUB = 1 << SUB_BITS;

const bucketOf = (us: number): number => {
  if (us < SUB) return us;
  const exponent = 31 - Math.clz32(us) - SUB_BITS;
  return (exponent + 1) * SUB + ((us >> exponent) - SUB);
};

/** Largest latency that falls into a bucket. */
const upperEdge = (bucket: number): number => {
  if (bucket < SUB) return bucket;
  const exponent = Math.floor(bucket / SUB) - 1;
  return (((bucket % SUB) + SUB + 1) << exponent) - 1;
};

export class Latencies {
  readonly #buckets = new Uint32Array(25 * SUB);
  #count = 0;

  /** Microseconds; fractions are cut off, 30 seconds is the most. */
  add(us: number): void {
    const bucket = bucketOf(Math.min(us, 30_000_000) | 0);
    this.#buckets[bucket] = this.#buckets[bucket]! + 1;
    this.#count += 1;
  }

  /** The latency that `share` (0–1) of all stayed within, in microseconds; 0 when there are none. */
  percentile(share: number): number {
    let left = Math.ceil(this.#count * share);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      left -= this.#buckets[bucket]!;
      if (left <= 0) return upperEdge(bucket);
    }
    return 0;
  }
}
