/** Medians, spreads and ratios. */

/** The middle value; of an even number, the mean of the two in the middle. NaN of none. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((x, y) => x - y);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
};

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
}

/** undefined of no values. */
export const summarize = (values: readonly number[]): Summary | undefined =>
  values.length === 0
    ? undefined
    : { median: median(values), least: Math.min(...values), most: Math.max(...values), runs: values.length };

/**
 * Ours over theirs, round by round: both were measured within the same minute, so what disturbs the machine for longer
 * disturbs both. Rounds that only one of them has are left out.
 */
export const ratios = (ours: readonly (number | undefined)[], theirs: readonly (number | undefined)[]): number[] =>
  ours.flatMap((value, round) => {
    const other = theirs[round];
    return value === undefined || other === undefined || other === 0 ? [] : [value / other];
  });
