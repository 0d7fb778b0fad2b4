/**
 * The index of the weighted choice at `point` in [0, 1); -1 when no weight is above 0. What has no weight is never chosen, whatever the
 * rounding. Gateway API: BackendRef.weight.
 */
export const splitTraffic = (weights: readonly number[], point: number): number => {
  let total = 0;
  for (const weight of weights) total += weight;
  let left = point * total;
  let chosen = -1;
  for (let at = 0; at < weights.length; at++) {
    const weight = weights[at] as number;
    if (weight <= 0) continue;
    chosen = at;
    left -= weight;
    if (left < 0) break;
  }
  return chosen;
};
