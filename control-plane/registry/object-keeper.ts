/** Objects of one kind that the control plane itself keeps in the store, one write at a time for each. */
import { isDeepStrictEqual } from 'node:util';
import type { BaseLogger } from 'pino';
import type { ApiObject } from '../../api/object.ts';
import type { ResourceKind } from '../../api/resource-kind.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import { type ResourceStore, StoreError } from '../store/resource-store.ts';

/** The store was not ready: again after this. */
const RETRY_MS = 1_000;

interface Kept<T> {
  /** What should be there; undefined: nothing. */
  wanted: T | undefined;
  /** What was written last. */
  written: T | undefined;
  running: boolean;
  /** Earliest time of the next write. */
  notBeforeMs: number;
  timer: Timer | undefined;
}

/**
 * Brings the store to what is wanted. Wishes that come while a write runs, or sooner than `intervalMs` after the last one,
 * are not queued: the newest counts. Owned by the registry; lives as long as it.
 */
export class ObjectKeeper<T extends ApiObject> {
  readonly #store: ResourceStore;
  readonly #kind: ResourceKind<T>;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #log: BaseLogger;
  readonly #kept = new Map<string, Kept<T>>();
  #closed = false;

  constructor(store: ResourceStore, kind: ResourceKind<T>, intervalMs: number, clock: Clock, log: BaseLogger) {
    this.#store = store;
    this.#kind = kind;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#log = log;
  }

  /** Creates or replaces the object, with its status. */
  keep(object: T): void {
    this.#want(object.metadata.namespace ?? '', object.metadata.name, object);
  }

  /** Deletes the object, if it is there. */
  drop(namespace: string, name: string): void {
    this.#want(namespace, name, undefined);
  }

  /** Nothing is written any more. */
  close(): void {
    this.#closed = true;
    for (const kept of this.#kept.values()) kept.timer?.cancel();
  }

  #want(namespace: string, name: string, wanted: T | undefined): void {
    const id = `${namespace}/${name}`;
    const kept = this.#kept.get(id) ?? { wanted, written: undefined, running: false, notBeforeMs: 0, timer: undefined };
    kept.wanted = wanted;
    this.#kept.set(id, kept);
    this.#schedule(id, kept);
  }

  #schedule(id: string, kept: Kept<T>): void {
    if (kept.running || this.#closed) return;
    // A deletion waits for nothing.
    const waitMs = kept.wanted === undefined ? 0 : kept.notBeforeMs - this.#clock.nowMs();
    kept.timer?.cancel();
    kept.timer = undefined;
    if (waitMs <= 0) void this.#run(id, kept);
    else kept.timer = this.#clock.setTimer(waitMs, () => void this.#run(id, kept));
  }

  async #run(id: string, kept: Kept<T>): Promise<void> {
    const { wanted } = kept;
    kept.running = true;
    kept.timer = undefined;
    kept.notBeforeMs = this.#clock.nowMs() + this.#intervalMs;
    try {
      if (wanted === undefined) await this.#delete(id);
      else if (!isDeepStrictEqual(wanted, kept.written)) await this.#write(wanted, kept.written);
      kept.written = wanted;
    } catch (error) {
      kept.written = undefined;
      kept.notBeforeMs = this.#clock.nowMs() + RETRY_MS;
      if (!(error instanceof StoreError) || error.code === 'unavailable')
        this.#log.error({ err: error, kind: this.#kind.kind, object: id }, 'the registry cannot write to the store');
      // Its namespace was deleted while the sidecar ran.
      else
        this.#log.warn(
          { err: error, kind: this.#kind.kind, object: id },
          'the store refuses an object of the registry',
        );
    }
    kept.running = false;
    if (kept.wanted !== kept.written) this.#schedule(id, kept);
    else if (kept.wanted === undefined) this.#kept.delete(id);
  }

  async #write(wanted: T, written: T | undefined): Promise<void> {
    const { namespace = '', name } = wanted.metadata;
    const onlyStatus = written !== undefined && isDeepStrictEqual({ ...wanted, status: 0 }, { ...written, status: 0 });
    try {
      if (!onlyStatus) await this.#store.update(this.#kind, wanted);
      await this.#store.updateStatus(this.#kind, namespace, name, wanted.status);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'not-found') throw error;
      await this.#store.create(this.#kind, wanted);
    }
  }

  async #delete(id: string): Promise<void> {
    const slash = id.indexOf('/');
    try {
      await this.#store.delete(this.#kind, id.slice(0, slash), id.slice(slash + 1));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'not-found') throw error;
    }
  }
}
