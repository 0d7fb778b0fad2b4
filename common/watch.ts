/** A value that changes as a whole: many readers see complete values, and only the holder of the writing half may replace it. */

/** The reading half. */
export interface Watch<T> {
  readonly value: T;
  /** Calls `listener` after each replacement (not for the present value). Returns what ends it. */
  subscribe(listener: (value: T) => void): () => void;
}

/** The writing half. Listeners run in the order in which they subscribed, before `set` returns. */
export class Watched<T> implements Watch<T> {
  #value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const listener of Array.from(this.#listeners)) listener(value);
  }

  subscribe(listener: (value: T) => void): () => void {
    // A wrapper per call, so that the same function may subscribe twice.
    const own = (next: T): void => listener(next);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }
}
