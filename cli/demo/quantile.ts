/** Counts by upper bound in seconds, each including those before it, as a Prometheus histogram has them. */
export type Buckets = ReadonlyMap<number, number>;

/** The value below which the share `q` (0–1) lies, in seconds, by interpolation within its bucket as Prometheus's `histogram_quantile`; 0 without observations. */
export const quantile = (buckets: Buckets, q: number): number => {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of sorted) {
    if (count > 0 && count >= q * total) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + (bound - lower) * ((q * total - below) / (count - below));
    }
    lower = bound;
    below = count;
  }
  return 0;
};
