/** The index of the weighted choice at `point` in [0, 1); -1 when no weight is above 0. */
export const splitTraffic = (weights: readonly number[], point: number): number => {
  let total = 0;
  for (const weight of weights) total += weight;
  if (total <= 0) return -1;
  let left = point * total;
  for (let at = 0; at < weights.length; at++) {
    left -= weights[at] as number;
    if (left < 0) return at;
  }
  return weights.length - 1;
};
