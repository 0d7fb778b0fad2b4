/** Who watches, and what of a write each of them sees. */

import type { Stored } from '../../api/object.ts';
import { qualifiedName } from '../../api/resource-kind.ts';
import type { ResourceEvent, Watch, WatchQuery } from './resource-store.ts';

/** One write, as the log keeps it. */
export interface Change {
  readonly type: ResourceEvent['type'];
  /** `qualifiedName` of the kind. */
  readonly kind: string;
  readonly object: Stored;
  /** Of a MODIFIED object, before the write. */
  readonly labelsBefore: Labels;
}

type Labels = Readonly<Record<string, string>>;

/** What a watch with this query sees of a change, or undefined. A change of labels can begin or end a match. */
export const eventFor = (query: WatchQuery, change: Change): ResourceEvent | undefined => {
  const { name, namespace = '', labels = {}, resourceVersion } = change.object.metadata;
  if (query.kind !== undefined && qualifiedName(query.kind) !== change.kind) return undefined;
  if (query.namespace !== undefined && query.namespace !== namespace) return undefined;
  if (query.name !== undefined && query.name !== name) return undefined;
  const matches = query.labels === undefined || query.labels(labels);
  const matched = query.labels === undefined || query.labels(change.labelsBefore);
  if (change.type !== 'MODIFIED')
    return matches ? { type: change.type, object: change.object, resourceVersion } : undefined;
  if (!matches && !matched) return undefined;
  return { type: matches ? (matched ? 'MODIFIED' : 'ADDED') : 'DELETED', object: change.object, resourceVersion };
};

/** Owned by a store; lives as long as it. */
export class Watchers {
  readonly #all = new Set<(change: Change) => void>();

  /** Delivers changes after `version`: one that is being published already is in the history that the watch has read. */
  add(query: WatchQuery, version: number, onEvent: (event: ResourceEvent) => void): Watch {
    const deliver = (change: Change) => {
      if (Number(change.object.metadata.resourceVersion) <= version) return;
      const event = eventFor(query, change);
      if (event !== undefined) onEvent(event);
    };
    this.#all.add(deliver);
    return { close: () => this.#all.delete(deliver) };
  }

  publish(change: Change): void {
    // A callback may close any watch: that one is gone from the set, and sees nothing more.
    for (const deliver of this.#all) deliver(change);
  }
}
