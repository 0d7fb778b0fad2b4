import { keyOf, type LabelSet, type Rows, SeriesTable, type SeriesTableOptions } from './series-table.ts';

/**
 * The tables of all workers as one. A series that has been idle in one worker, and so went away there, must not take its numbers along while it moves in
 * another: so this adds up what each worker has counted since the last time. Owned by the first worker's `Metrics`; lives as long as it.
 */
export class MergedTable<Labels extends LabelSet<Labels>> {
  private readonly sum: SeriesTable<Labels>;
  private readonly width: number;
  /** What each worker said last, by the key of the series. */
  private readonly last: Map<string, Float64Array>[] = [];

  constructor(options: SeriesTableOptions<Labels>) {
    this.sum = new SeriesTable(options);
    this.width = options.width;
  }

  /** `parts`: of all workers, in the same order each time. */
  update(parts: readonly Rows<Labels>[], nowMs: number): SeriesTable<Labels> {
    for (const [worker, part] of parts.entries()) this.last[worker] = this.add(part, this.last[worker], nowMs);
    this.sum.sweep(nowMs);
    return this.sum;
  }

  private add(
    { labels, numbers }: Rows<Labels>,
    before: ReadonlyMap<string, Float64Array> | undefined,
    nowMs: number,
  ): Map<string, Float64Array> {
    const { sum, width } = this;
    const now = new Map<string, Float64Array>();
    for (const [at, each] of labels.entries()) {
      const key = keyOf(each);
      const row = numbers.subarray(at * width, (at + 1) * width);
      now.set(key, row);
      const known = before?.get(key);
      // It went away and came again: it counts from 0.
      const base = known?.every((number, i) => number <= row[i]!) === true ? known : undefined;
      if (base?.every((number, i) => number === row[i]) === true) continue;
      const { offset } = sum.find(each, nowMs);
      for (let i = 0; i < width; i++) sum.slots[offset + i]! += row[i]! - (base?.[i] ?? 0);
    }
    return now;
  }
}
