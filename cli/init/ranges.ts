/** Numbers from `from` to `to`, both included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

const RANGE = /^([0-9]{1,10})(?:-([0-9]{1,10}))?$/;

/** `80,8000-8100`, sorted, what overlaps or touches as one; undefined where that is not what it says, or a number is not in `bounds`. */
export const parseRanges = (text: string, bounds: Range): readonly Range[] | undefined => {
  const ranges: Range[] = [];
  for (const part of text.split(',')) {
    const [matched, first, last = first] = RANGE.exec(part.trim()) ?? [];
    const range = { from: Number(first), to: Number(last) };
    if (matched === undefined || range.from > range.to || !isWithin(range, [bounds])) return undefined;
    ranges.push(range);
  }
  return mergeRanges(ranges);
};

/** Sorted; what overlaps or touches becomes one, because nft refuses sets that overlap. */
export const mergeRanges = (ranges: readonly Range[]): readonly Range[] => {
  const merged: Range[] = [];
  for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) merged.splice(-1, 1, { from: last.from, to: Math.max(last.to, to) });
    else merged.push({ from, to });
  }
  return merged;
};

/** Whether one of `ranges` holds all of `range`. */
export const isWithin = (range: Range, ranges: readonly Range[]): boolean =>
  ranges.some(({ from, to }) => from <= range.from && range.to <= to);

/** `80`, or `80-90` with the separator between. */
export const formatRange = ({ from, to }: Range, separator: string): string =>
  from === to ? String(from) : `${from}${separator}${to}`;
