/** Counts what a load program sees, and makes the result out of it. */
import { Latencies } from './latencies.ts';
import type { LoadResult } from './load-result.ts';

export class Tally {
  readonly #latencies = new Latencies();
  readonly #faults = new Map<string, number>();
  readonly #begin = performance.now();
  #requests = 0;
  #bytes = 0;

  /** `sentAt`: `performance.now()` when the request was written. */
  answer(sentAt: number, bodyBytes: number): void {
    this.#latencies.add((performance.now() - sentAt) * 1_000);
    this.#requests += 1;
    this.#bytes += bodyBytes;
  }

  bytes(count: number): void {
    this.#bytes += count;
  }

  fault(sentence: string): void {
    this.#faults.set(sentence, (this.#faults.get(sentence) ?? 0) + 1);
  }

  result(): LoadResult {
    return {
      requests: this.#requests,
      seconds: (performance.now() - this.#begin) / 1_000,
      bytes: this.#bytes,
      p50Us: this.#latencies.percentile(0.5),
      p99Us: this.#latencies.percentile(0.99),
      faults: [...this.#faults].map(([sentence, times]) => (times > 1 ? `${sentence} (${times} times)` : sentence)),
    };
  }
}
