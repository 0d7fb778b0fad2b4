/** Chance as an argument, so that tests decide what falls. */

/** The next number in [0, 1), evenly spread. For balancing and jitter, never for secrets. */
export type Random = () => number;

export const systemRandom: Random = Math.random;

/** For tests: the same numbers for the same seed (xorshift32: Marsaglia, "Xorshift RNGs", 2003). */
export const seededRandom = (seed: number): Random => {
  // Spread, so that neighbouring seeds differ at once; 0 would stay 0 for ever.
  let state = Math.imul(seed + 1, 0x9e3779b1) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
};
