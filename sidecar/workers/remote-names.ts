import type { Snapshot } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';
import type { Watch } from '../../common/watch.ts';
import type { ServiceNames, WaitResult } from '../discovery/discovery.ts';
import { indexServices } from '../discovery/service-index.ts';
import { SubscriptionKeys } from '../discovery/subscription-key.ts';
import { type Answer, MAX_WAITING } from '../discovery/subscriptions.ts';

/** An answer of the first thread holds for so long here; there it may be revoked sooner. */
const KEEP_MS = 5_000;
/** The first thread is told that a name is in use once in so long. */
const TELL_MS = 10_000;
/** Names that are remembered; full tables are emptied. */
const MAX_NAMES = 10_000;

export interface RemoteNamesOptions {
  readonly snapshots: Watch<Snapshot>;
  readonly namespace: string;
  /** False: there is no control plane, and the snapshot is all there is. */
  readonly controlled: boolean;
  /** Asks the first thread, which answers by `found`. */
  readonly find: (target: string) => void;
  /** Tells it that the name is in use. */
  readonly use: (target: string) => void;
  readonly clock: Clock;
}

/** Where names lead, for a worker beside the first: by its snapshot, and what that does not say the first thread finds out. Owned by the worker. */
export class RemoteNames implements ServiceNames {
  readonly snapshots: Watch<Snapshot>;
  private readonly options: RemoteNamesOptions;
  private readonly keys: SubscriptionKeys;
  private readonly answers = new Map<string, { readonly answer: Answer; readonly untilMs: number }>();
  private readonly tellAgainMs = new Map<string, number>();
  private readonly waiting = new Map<string, Set<(result: WaitResult) => void>>();
  private waitingCount = 0;
  private index: ReadonlyMap<string, string>;

  constructor(options: RemoteNamesOptions) {
    this.options = options;
    this.snapshots = options.snapshots;
    this.keys = new SubscriptionKeys(options.namespace);
    this.index = indexServices(options.snapshots.value);
    options.snapshots.subscribe(snapshot => {
      this.index = indexServices(snapshot);
    });
  }

  lookup(target: string): Answer | 'unknown' {
    const name = this.keys.of(target);
    if (name === undefined) return 'not-in-mesh';
    if (!this.options.controlled) return this.index.has(name) ? 'known' : 'not-in-mesh';
    if (this.index.has(name)) {
      this.tellUse(name);
      return 'known';
    }
    const known = this.answers.get(name);
    return known !== undefined && this.options.clock.nowMs() < known.untilMs ? known.answer : 'unknown';
  }

  wait(target: string, callback: (result: WaitResult) => void): () => void {
    const name = this.keys.of(target);
    if (name === undefined || this.waitingCount >= MAX_WAITING) {
      callback(name === undefined ? 'not-in-mesh' : 'overloaded');
      return () => {};
    }
    let line = this.waiting.get(name);
    if (line === undefined) {
      line = new Set();
      this.waiting.set(name, line);
      this.options.find(name);
    }
    const inLine = line;
    const entry = (result: WaitResult): void => callback(result);
    inLine.add(entry);
    this.waitingCount++;
    return () => {
      if (inLine.delete(entry)) this.waitingCount--;
    };
  }

  /** The first thread's answer. A snapshot that it speaks of has come before it. */
  found(name: string, result: WaitResult): void {
    if (result === 'known' || result === 'not-in-mesh') {
      if (this.answers.size >= MAX_NAMES) this.answers.clear();
      this.answers.set(name, { answer: result, untilMs: this.options.clock.nowMs() + KEEP_MS });
    }
    const line = this.waiting.get(name);
    this.waiting.delete(name);
    for (const entry of line ?? []) {
      line?.delete(entry);
      this.waitingCount--;
      entry(result);
    }
  }

  private tellUse(name: string): void {
    const nowMs = this.options.clock.nowMs();
    if (nowMs < (this.tellAgainMs.get(name) ?? 0)) return;
    if (this.tellAgainMs.size >= MAX_NAMES) this.tellAgainMs.clear();
    this.tellAgainMs.set(name, nowMs + TELL_MS);
    this.options.use(name);
  }
}
