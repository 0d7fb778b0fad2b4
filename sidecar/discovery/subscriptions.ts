/**
 * What this sidecar has asked for, who waits for an answer, and when to stop asking.
 *
 * A name: asked ──answer──▶ known | not in the mesh. "Not in the mesh" holds for `NEGATIVE_MS`, unless it is revoked
 * before; a known name that nobody uses for `IDLE_MS` is given up.
 */
import { MAX_SUBSCRIPTIONS } from '../../api/discovery.ts';
import type { Clock, Timer } from '../../common/clock.ts';

export type Answer = 'known' | 'not-in-mesh';
/** `timeout`: no answer came in time. `overloaded`: too many wait, or too much is subscribed to. */
export type WaitResult = Answer | 'timeout' | 'overloaded';

/** Longest wait for an answer … */
export const WAIT_MS = 1_000;
/** … and before the first snapshot. */
export const FIRST_WAIT_MS = 30_000;
export const MAX_WAITING = 1_000;
export const NEGATIVE_MS = 30_000;
export const IDLE_MS = 600_000;
const SWEEP_MS = 30_000;

interface Entry {
  /** The `service.namespace` that it leads to; null: not in the mesh; undefined: not answered yet. */
  service: string | null | undefined;
  answeredMs: number;
  usedMs: number;
  /** Named by the configuration: never given up. */
  readonly pinned: boolean;
  readonly waiters: Set<(result: Answer) => void>;
}

export interface SubscriptionsOptions {
  readonly clock: Clock;
  /** Tells the control plane, if it is connected; otherwise the next hello does. */
  readonly send: (type: 'subscribe' | 'unsubscribe', names: readonly string[]) => void;
  /** Whether requests are or were on their way to this service since the last time this was asked. */
  readonly inUse: (service: string) => boolean;
  /** False until the first snapshot. */
  readonly started: () => boolean;
}

/** Owned by the discovery; lives as long as it. */
export class Subscriptions implements Disposable {
  readonly #options: SubscriptionsOptions;
  readonly #entries = new Map<string, Entry>();
  #waiting = 0;
  #sweep: Timer;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#sweep = options.clock.setTimer(SWEEP_MS, () => this.#sweepIdle());
  }

  /** For the hello. */
  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** Subscribes without waiting: names of the configuration, and what the last run used. */
  add(name: string, service: string | undefined, pinned: boolean): void {
    if (!this.#entries.has(name)) this.#entries.set(name, this.#entry(service, pinned));
  }

  /** What is known about a name now. Counts as a use. */
  lookup(name: string): Answer | 'unknown' {
    const entry = this.#entries.get(name);
    if (entry === undefined) return 'unknown';
    entry.usedMs = this.#options.clock.nowMs();
    if (entry.service === undefined) return 'unknown';
    if (entry.service !== null) return 'known';
    if (this.#isStale(entry)) {
      this.#give(name);
      return 'unknown';
    }
    return 'not-in-mesh';
  }

  /** Makes sure that the name is asked for, without waiting. False: there is no room. */
  ask(name: string): boolean {
    if (this.#entries.has(name)) return true;
    if (this.#entries.size >= MAX_SUBSCRIPTIONS && !this.#makeRoom()) return false;
    this.#entries.set(name, this.#entry(undefined, false));
    this.#options.send('subscribe', [name]);
    return true;
  }

  /**
   * Calls back once, with the answer or why there is none; possibly before it returns. Returns what ends the wait: the
   * callback is not called any more.
   */
  wait(name: string, callback: (result: WaitResult) => void): () => void {
    if (this.#waiting >= MAX_WAITING || !this.ask(name)) {
      callback('overloaded');
      return () => {};
    }
    const { waiters } = this.#entries.get(name)!;
    const finish = (result: WaitResult): void => {
      if (!waiters.delete(finish)) return;
      this.#waiting--;
      timer.cancel();
      callback(result);
    };
    const timer = this.#options.clock.setTimer(this.#options.started() ? WAIT_MS : FIRST_WAIT_MS, () =>
      finish('timeout'),
    );
    waiters.add(finish);
    this.#waiting++;
    return () => {
      if (!waiters.delete(finish)) return;
      this.#waiting--;
      timer.cancel();
    };
  }

  /** Answers of an update whose snapshot was applied. */
  answered(answers: Readonly<Record<string, string | null>>): void {
    const { clock } = this.#options;
    for (const [name, service] of Object.entries(answers)) {
      const entry = this.#entries.get(name);
      if (entry === undefined) continue;
      entry.service = service;
      entry.answeredMs = clock.nowMs();
      for (const finish of entry.waiters) finish(service === null ? 'not-in-mesh' : 'known');
    }
  }

  [Symbol.dispose](): void {
    this.#sweep.cancel();
  }

  #entry(service: string | undefined, pinned: boolean): Entry {
    const nowMs = this.#options.clock.nowMs();
    return { service, answeredMs: nowMs, usedMs: nowMs, pinned, waiters: new Set() };
  }

  /** Gives up what is of the least use: names that are not in the mesh first, then what was used longest ago. */
  #makeRoom(): boolean {
    let least: string | undefined;
    let leastRank = Number.POSITIVE_INFINITY;
    for (const [name, entry] of this.#entries) {
      if (entry.pinned || entry.service === undefined || entry.waiters.size > 0) continue;
      const rank = entry.service === null ? entry.usedMs - Number.MAX_SAFE_INTEGER : entry.usedMs;
      if (rank < leastRank && !(entry.service !== null && this.#options.inUse(entry.service))) {
        least = name;
        leastRank = rank;
      }
    }
    if (least !== undefined) this.#give(least);
    return least !== undefined;
  }

  #give(name: string): void {
    this.#entries.delete(name);
    this.#options.send('unsubscribe', [name]);
  }

  #isStale({ answeredMs }: Entry): boolean {
    return this.#options.clock.nowMs() - answeredMs >= NEGATIVE_MS;
  }

  #sweepIdle(): void {
    const { clock, inUse } = this.#options;
    for (const [name, entry] of this.#entries) {
      if (entry.pinned || entry.waiters.size > 0) continue;
      if (entry.service != null && inUse(entry.service)) entry.usedMs = clock.nowMs();
      const idle = clock.nowMs() - entry.usedMs >= IDLE_MS;
      if (idle || (entry.service === null && this.#isStale(entry))) this.#give(name);
    }
    this.#sweep = clock.setTimer(SWEEP_MS, () => this.#sweepIdle());
  }
}
