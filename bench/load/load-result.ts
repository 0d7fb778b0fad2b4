/** What a load driver reports. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Bytes of response bodies. */
  readonly bytes: number;
  /** Latency in microseconds; 0 where it was not measured. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** What went wrong, one sentence each: answers other than 200, socket errors. A run with faults proves nothing. */
  readonly faults: readonly string[];
}
