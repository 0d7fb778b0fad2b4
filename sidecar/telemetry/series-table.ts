/** Label names and values of a series. */
export type LabelSet<Labels> = { readonly [Name in keyof Labels]: string };

/** One series of a table. Whoever keeps it asks `live` before each use, and looks it up again when it is false. */
export class Series<Labels> {
  readonly labels: Labels;
  /** Where its numbers begin in `SeriesTable.slots`. */
  readonly offset: number;
  /** False once it was dropped: idle too long, or no longer the place for what overflowed. */
  live = true;
  /** For the sweep: the sum of its slots when it last moved, and when that was. */
  seen = 0;
  movedAtMs: number;

  constructor(labels: Labels, offset: number, nowMs: number) {
    this.labels = labels;
    this.offset = offset;
    this.movedAtMs = nowMs;
  }
}

export interface SeriesTableOptions<Labels> {
  /** Numbers per series. All of them only ever grow. */
  readonly width: number;
  /** At most so many series, the overflow series not counted. */
  readonly maxSeries: number;
  /** Labels of the series that counts for all that do not fit. */
  readonly overflow: Labels;
  /** A series that has not moved for so long goes away. */
  readonly idleMs: number;
  /** A series that stays although it does not move: something that it counts is still going on. */
  readonly busy?: (slots: Float64Array, offset: number) => boolean;
}

/** All series of a table as they stand, for another thread: the numbers of each lie behind each other, in the order of the labels. */
export interface Rows<Labels> {
  readonly labels: readonly Labels[];
  readonly numbers: Float64Array;
}

const FIRST_ROWS = 16;

/**
 * Numbers by labels. Owned by `Metrics`; lives as long as it.
 * The numbers of all series lie in one Float64Array, so that counting is an addition at a known index: no hash and no allocation.
 */
export class SeriesTable<Labels extends LabelSet<Labels>> {
  slots: Float64Array;
  private readonly options: SeriesTableOptions<Labels>;
  private readonly byKey = new Map<string, Series<Labels>>();
  private readonly freeOffsets: number[] = [];
  private readonly overflowKey: string;
  private nextOffset = 0;

  constructor(options: SeriesTableOptions<Labels>) {
    this.options = options;
    this.slots = new Float64Array(options.width * FIRST_ROWS);
    this.overflowKey = keyOf(options.overflow);
  }

  /** The series with these labels; a new one at 0 when there is none; the overflow series when there is no room. */
  find(labels: Labels, nowMs: number): Series<Labels> {
    const key = keyOf(labels);
    return (
      this.byKey.get(key) ?? (this.size < this.options.maxSeries ? this.add(key, labels, nowMs) : this.overflow(nowMs))
    );
  }

  /** Series that are live, without the overflow series. */
  get size(): number {
    return this.byKey.size - (this.byKey.has(this.overflowKey) ? 1 : 0);
  }

  /** All live series, the overflow series with them once it was needed. */
  all(): Iterable<Series<Labels>> {
    return this.byKey.values();
  }

  /** A copy of it as it stands. */
  rows(): Rows<Labels> {
    const { width } = this.options;
    const series = [...this.byKey.values()];
    const numbers = new Float64Array(series.length * width);
    for (const [at, { offset }] of series.entries())
      numbers.set(this.slots.subarray(offset, offset + width), at * width);
    return { labels: series.map(({ labels }) => labels), numbers };
  }

  /** Drops what has been idle too long. To be called about once a minute: this is how exact the idle time is. */
  sweep(nowMs: number): void {
    const { idleMs, busy } = this.options;
    for (const [key, series] of this.byKey) {
      const sum = this.sumOf(series.offset);
      if (sum !== series.seen || busy?.(this.slots, series.offset)) {
        series.seen = sum;
        series.movedAtMs = nowMs;
      } else if (nowMs - series.movedAtMs >= idleMs) {
        this.drop(key, series);
      }
    }
    this.renewOverflow(nowMs);
  }

  private overflow(nowMs: number): Series<Labels> {
    return this.byKey.get(this.overflowKey) ?? this.add(this.overflowKey, this.options.overflow, nowMs);
  }

  /** There is room again: those who keep the overflow series look theirs up again. Its numbers go on. */
  private renewOverflow(nowMs: number): void {
    const old = this.byKey.get(this.overflowKey);
    if (old === undefined || this.size >= this.options.maxSeries) return;
    const next = new Series(old.labels, old.offset, nowMs);
    next.seen = old.seen;
    next.movedAtMs = old.movedAtMs;
    old.live = false;
    this.byKey.set(this.overflowKey, next);
  }

  private add(key: string, labels: Labels, nowMs: number): Series<Labels> {
    const series = new Series(labels, this.freeOffsets.pop() ?? this.newOffset(), nowMs);
    this.byKey.set(key, series);
    return series;
  }

  private drop(key: string, series: Series<Labels>): void {
    series.live = false;
    this.byKey.delete(key);
    this.slots.fill(0, series.offset, series.offset + this.options.width);
    this.freeOffsets.push(series.offset);
  }

  private newOffset(): number {
    const offset = this.nextOffset;
    this.nextOffset += this.options.width;
    if (this.nextOffset > this.slots.length) {
      const larger = new Float64Array(this.slots.length * 2);
      larger.set(this.slots);
      this.slots = larger;
    }
    return offset;
  }

  private sumOf(offset: number): number {
    let sum = 0;
    for (let i = offset; i < offset + this.options.width; i++) sum += this.slots[i]!;
    return sum;
  }
}

export const keyOf = (labels: object): string => JSON.stringify(Object.values(labels));
