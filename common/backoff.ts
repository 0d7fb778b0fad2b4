/** How long to wait before the next try. */
import type { Random } from './random.ts';

export interface BackoffOptions {
  /** Upper bound of the first pause. */
  readonly baseMs: number;
  /** Upper bound of every pause. */
  readonly maxMs: number;
}

/**
 * Exponential backoff with full jitter: pause n (from 0) is evenly spread over [0, min(maxMs, baseMs · 2ⁿ)), so that
 * clients that failed together do not come back together. M. Brooker, "Exponential Backoff And Jitter", AWS 2015.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #failures = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** The pause after one more failure, in milliseconds. */
  next(): number {
    const bound = Math.min(this.#options.maxMs, this.#options.baseMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 52);
    return this.#random() * bound;
  }

  /** After a success: the next failure is the first again. */
  reset(): void {
    this.#failures = 0;
  }
}
