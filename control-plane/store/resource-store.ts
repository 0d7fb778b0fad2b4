/**
 * Where resources live. One writer at a time, one counter for all of them: every write gets the next resourceVersion, and
 * a watch sees the writes in that order. `sqlite-store.ts` implements it on one file; a replicated store can do the same.
 *
 * Objects that come out are frozen: readers may keep and share them.
 */

import type { ApiObject, Stored } from '../../api/object.ts';
import type { ResourceKind } from '../../api/resource-kind.ts';

export type StoreErrorCode =
  /** No such object; on `create`: no such namespace. */
  | 'not-found'
  /** `create`: the name is taken. */
  | 'already-exists'
  /** The expected resourceVersion or uid is not the present one. */
  | 'conflict'
  /** The history does not reach back to the wanted version, or the token of a list is too old: list again. */
  | 'expired'
  /** The disk refused. Nothing was changed. */
  | 'unavailable';

/** Rejections of the store. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface ListQuery {
  /** Undefined: all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly labels?: LabelFilter | undefined;
  /** Most objects in one answer; 0 or undefined: all. */
  readonly limit?: number | undefined;
  /** `continueToken` of the answer before. */
  readonly continueToken?: string | undefined;
}

/** True for the labels that a selector selects. */
export type LabelFilter = (labels: Readonly<Record<string, string>>) => boolean;

export interface ObjectList<T extends ApiObject> {
  /** By namespace, then name. */
  readonly items: readonly Stored<T>[];
  /** Watch from here to see everything after the list. */
  readonly resourceVersion: string;
  /** '' when the list is complete. */
  readonly continueToken: string;
}

export interface WatchQuery {
  /** Undefined: all kinds, in one order. */
  readonly kind?: ResourceKind | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly labels?: LabelFilter | undefined;
}

export interface ResourceEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** The object after the write; for DELETED the last one, with the resourceVersion of the deletion. */
  readonly object: Stored;
  readonly resourceVersion: string;
}

export interface Watch {
  /** No event is delivered after this returns. */
  close(): void;
}

/** What must hold for a delete to happen; undefined: anything. */
export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** Owned by the control plane; lives as long as it. */
export interface ResourceStore {
  /** Undefined when there is none. `namespace` is '' for cluster-scoped kinds. */
  get<T extends ApiObject>(kind: ResourceKind<T>, namespace: string, name: string): Promise<Stored<T> | undefined>;
  /** @throws `expired` for an old `continueToken`. */
  list<T extends ApiObject>(kind: ResourceKind<T>, query?: ListQuery): Promise<ObjectList<T>>;
  /** Sets uid, resourceVersion, creationTimestamp and generation. @throws `already-exists`. */
  create<T extends ApiObject>(kind: ResourceKind<T>, object: T): Promise<Stored<T>>;
  /**
   * Replaces all but `status`, uid and creationTimestamp. With a `metadata.resourceVersion` only if that is the present one. A write that
   * changes nothing gives the present object and no event. @throws `not-found`, `conflict`.
   */
  update<T extends ApiObject>(kind: ResourceKind<T>, object: T): Promise<Stored<T>>;
  /** Replaces `status` alone; as `update` otherwise. @throws `not-found`, `conflict`. */
  updateStatus<T extends ApiObject>(
    kind: ResourceKind<T>,
    namespace: string,
    name: string,
    status: T['status'],
    resourceVersion?: string,
  ): Promise<Stored<T>>;
  /** Gives the deleted object. Deleting a Namespace deletes everything in it, in the same write. @throws `not-found`, `conflict`. */
  delete<T extends ApiObject>(
    kind: ResourceKind<T>,
    namespace: string,
    name: string,
    preconditions?: Preconditions,
  ): Promise<Stored<T>>;
  /**
   * Calls `onEvent` for every write after `fromVersion` (a version that a list or an event gave), first the retained ones, then new ones as
   * they are answered; never twice, never out of order. A write that makes an object match `labels` is ADDED, one that ends the match is DELETED.
   * @throws `expired` when the history no longer reaches back to `fromVersion`.
   */
  watch(query: WatchQuery, fromVersion: string, onEvent: (event: ResourceEvent) => void): Promise<Watch>;
  /** The version of the last write. */
  version(): string;
  [Symbol.asyncDispose](): Promise<void>;
}
