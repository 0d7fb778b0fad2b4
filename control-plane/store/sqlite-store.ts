/**
 * The store on one SQLite file.
 *
 * Writes that come together are committed together: each is queued, and one transaction takes all that wait. So the price
 * of durability (one fsync) is paid once per round of the event loop, and not once per write. A write is answered, and watches see
 * it, after the commit. Every write appends to the table `events`, whose key is the resourceVersion; the newest are kept for watches.
 */

import type { DatabaseSync } from 'node:sqlite';
import { NAMESPACE } from '../../api/namespace.ts';
import type { ApiObject, Stored } from '../../api/object.ts';
import { qualifiedName, type ResourceKind } from '../../api/resource-kind.ts';
import type { Clock } from '../../common/clock.ts';
import { type ListPosition, readToken, writeToken } from './continue-token.ts';
import { createdObject, deepFreeze, sameObject, updatedObject, withStatus, withVersion } from './next-object.ts';
import { openDatabase } from './open-database.ts';
import {
  type ListQuery,
  type ObjectList,
  type Preconditions,
  type ResourceEvent,
  type ResourceStore,
  StoreError,
  type Watch,
  type WatchQuery,
} from './resource-store.ts';
import { prepareStatements } from './statements.ts';
import { type Change, eventFor, Watchers } from './watchers.ts';

export interface SqliteStoreOptions {
  /** File, or `:memory:`. */
  readonly path: string;
  readonly clock: Clock;
  /** How many writes watches can go back. Default 20,000. */
  readonly historySize?: number;
}

interface QueuedWrite {
  /** Writes within the open transaction, or throws a `StoreError` before it has written anything. */
  run(): Stored;
  resolve(object: Stored): void;
  reject(error: StoreError): void;
}

interface EventRow {
  readonly type: Change['type'];
  readonly kind: string;
  readonly body: string;
  readonly labels_before: string | null;
}

export class SqliteStore implements ResourceStore {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #historySize: number;
  readonly #watchers = new Watchers();
  readonly #statements: ReturnType<typeof prepareStatements>;
  #queue: QueuedWrite[] = [];
  /** Of the last committed write. */
  #version: number;
  /** Of the open transaction. */
  #next: number;
  #changes: Change[] = [];
  #closed = false;

  constructor({ path, clock, historySize = 20_000 }: SqliteStoreOptions) {
    this.#database = openDatabase(path);
    this.#clock = clock;
    this.#historySize = historySize;
    this.#statements = prepareStatements(this.#database);
    this.#version = (this.#statements.bounds.get() as { newest: number }).newest;
    this.#next = this.#version;
  }

  version(): string {
    return String(this.#version);
  }

  async get<T extends ApiObject>(
    kind: ResourceKind<T>,
    namespace: string,
    name: string,
  ): Promise<Stored<T> | undefined> {
    return this.#read(kind, namespace, name) as Stored<T> | undefined;
  }

  async list<T extends ApiObject>(kind: ResourceKind<T>, query: ListQuery = {}): Promise<ObjectList<T>> {
    const from = query.continueToken === undefined ? undefined : this.#readToken(query.continueToken);
    const resourceVersion = from?.version ?? this.version();
    const items: Stored<T>[] = [];
    const rows = this.#statements.list.iterate({
      kind: qualifiedName(kind),
      namespace: query.namespace ?? null,
      name: query.name ?? null,
      afterNamespace: from?.namespace ?? '',
      afterName: from?.name ?? '',
    });
    for (const row of rows) {
      const object = parse((row as { body: string }).body) as Stored<T>;
      if (query.labels !== undefined && !query.labels(object.metadata.labels ?? {})) continue;
      if (query.limit !== undefined && query.limit > 0 && items.length === query.limit) {
        const { namespace = '', name } = items.at(-1)!.metadata;
        return { items, resourceVersion, continueToken: writeToken({ version: resourceVersion, namespace, name }) };
      }
      items.push(object);
    }
    return { items, resourceVersion, continueToken: '' };
  }

  create<T extends ApiObject>(kind: ResourceKind<T>, object: T): Promise<Stored<T>> {
    return this.#write(() => {
      const { namespace = '', name } = object.metadata;
      if (kind.namespaced && this.#read(NAMESPACE, '', namespace) === undefined) throw notFound(NAMESPACE, namespace);
      if (this.#read(kind, namespace, name) !== undefined)
        throw new StoreError('already-exists', `${qualifiedName(kind)} "${name}" already exists`);
      const created = createdObject(kind, object, this.#takeVersion(), this.#clock.wallMs());
      this.#put(kind, created);
      this.#log({ type: 'ADDED', kind: qualifiedName(kind), object: created, labelsBefore: {} });
      return created;
    }) as Promise<Stored<T>>;
  }

  update<T extends ApiObject>(kind: ResourceKind<T>, object: T): Promise<Stored<T>> {
    const { namespace = '', name, uid, resourceVersion } = object.metadata;
    return this.#replace(kind, namespace, name, { uid, resourceVersion }, (present, version) =>
      updatedObject(kind, present, object, version),
    ) as Promise<Stored<T>>;
  }

  updateStatus<T extends ApiObject>(
    kind: ResourceKind<T>,
    namespace: string,
    name: string,
    status: T['status'],
    resourceVersion?: string,
  ): Promise<Stored<T>> {
    return this.#replace(kind, namespace, name, { resourceVersion }, (present, version) =>
      withStatus(kind, present, status, version),
    ) as Promise<Stored<T>>;
  }

  delete<T extends ApiObject>(
    kind: ResourceKind<T>,
    namespace: string,
    name: string,
    preconditions: Preconditions = {},
  ): Promise<Stored<T>> {
    return this.#write(() => {
      const present = this.#expect(kind, namespace, name, preconditions);
      if (qualifiedName(kind) === qualifiedName(NAMESPACE))
        for (const row of this.#statements.inNamespace.all(name)) {
          const { kind: inner, body } = row as { kind: string; body: string };
          this.#remove(inner, parse(body));
        }
      return this.#remove(qualifiedName(kind), present);
    }) as Promise<Stored<T>>;
  }

  async watch(query: WatchQuery, fromVersion: string, onEvent: (event: ResourceEvent) => void): Promise<Watch> {
    const from = Number(fromVersion);
    const oldest = (this.#statements.bounds.get() as { oldest: number }).oldest;
    if (!Number.isSafeInteger(from) || from < oldest - 1 || from > this.#version)
      throw new StoreError(
        'expired',
        `the history goes from ${oldest} to ${this.#version}, not back to ${fromVersion}`,
      );
    const rows = this.#statements.since.all({
      from,
      kind: query.kind === undefined ? null : qualifiedName(query.kind),
      namespace: query.namespace ?? null,
      name: query.name ?? null,
    });
    const watch = this.#watchers.add(query, this.#version, onEvent);
    for (const row of rows) {
      const event = eventFor(query, changeOf(row as unknown as EventRow));
      if (event !== undefined) onEvent(event);
    }
    return watch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#database.close();
  }

  #write(run: () => Stored): Promise<Stored> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreError('unavailable', 'the store is closed'));
      if (this.#queue.length === 0) setImmediate(() => this.#flush());
      this.#queue.push({ run, resolve, reject });
    });
  }

  /** Commits all writes that wait, answers them, and tells the watches. */
  #flush(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    const answers: (() => void)[] = [];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const write of queue) {
        try {
          const object = deepFreeze(write.run());
          answers.push(() => write.resolve(object));
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          answers.push(() => write.reject(error));
        }
      }
      this.#statements.prune.run(this.#next - this.#historySize);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#next = this.#version;
      this.#changes = [];
      const refusal = new StoreError('unavailable', `the store cannot write: ${(error as Error).message}`, error);
      for (const write of queue) write.reject(refusal);
      return;
    }
    const changes = this.#changes;
    this.#changes = [];
    this.#version = this.#next;
    for (const answer of answers) answer();
    for (const change of changes) this.#watchers.publish(change);
  }

  /** A write that makes `next(present)` of an object; none if that is the same. */
  #replace(
    kind: ResourceKind,
    namespace: string,
    name: string,
    preconditions: Preconditions,
    next: (present: Stored, version: string) => Stored,
  ): Promise<Stored> {
    return this.#write(() => {
      const present = this.#expect(kind, namespace, name, preconditions);
      const object = next(present, String(this.#next + 1));
      if (sameObject(object, present)) return present;
      this.#takeVersion();
      this.#put(kind, object);
      const labelsBefore = present.metadata.labels ?? {};
      this.#log({ type: 'MODIFIED', kind: qualifiedName(kind), object, labelsBefore });
      return object;
    });
  }

  #remove(kind: string, present: Stored): Stored {
    const object = withVersion(present, this.#takeVersion());
    this.#statements.remove.run(kind, object.metadata.namespace ?? '', object.metadata.name);
    this.#log({ type: 'DELETED', kind, object, labelsBefore: {} });
    return object;
  }

  #takeVersion(): string {
    this.#next += 1;
    return String(this.#next);
  }

  #read(kind: ResourceKind, namespace: string, name: string): Stored | undefined {
    const row = this.#statements.read.get(qualifiedName(kind), namespace, name) as { body: string } | undefined;
    return row === undefined ? undefined : parse(row.body);
  }

  #expect(kind: ResourceKind, namespace: string, name: string, { uid, resourceVersion }: Preconditions): Stored {
    const present = this.#read(kind, namespace, name);
    if (present === undefined) throw notFound(kind, name);
    const stale = resourceVersion !== undefined && resourceVersion !== present.metadata.resourceVersion;
    if (stale || (uid !== undefined && uid !== present.metadata.uid))
      throw new StoreError(
        'conflict',
        stale
          ? `the object has been modified: it is at resourceVersion ${present.metadata.resourceVersion}, not ${resourceVersion}`
          : `the object is another one of the same name: its uid is ${present.metadata.uid}, not ${uid}`,
      );
    return present;
  }

  #put(kind: ResourceKind, object: Stored): void {
    const { namespace = '', name } = object.metadata;
    this.#statements.put.run(qualifiedName(kind), namespace, name, JSON.stringify(object));
  }

  #log(change: Change): void {
    const { namespace = '', name, resourceVersion } = change.object.metadata;
    const before = change.type === 'MODIFIED' ? JSON.stringify(change.labelsBefore) : null;
    const body = JSON.stringify(change.object);
    this.#statements.log.run(Number(resourceVersion), change.type, change.kind, namespace, name, body, before);
    this.#changes.push({ ...change, object: deepFreeze(change.object) });
  }

  #readToken(token: string): ListPosition {
    const position = readToken(token);
    const oldest = (this.#statements.bounds.get() as { oldest: number }).oldest;
    // Whoever watches from the first page's version must still find all writes that the later pages may miss.
    if (position === undefined || Number(position.version) < oldest - 1)
      throw new StoreError('expired', 'the continue token is too old or broken: list again without it');
    return position;
  }
}

const notFound = (kind: ResourceKind, name: string): StoreError =>
  new StoreError('not-found', `${qualifiedName(kind)} "${name}" not found`);

const parse = (body: string): Stored => deepFreeze(JSON.parse(body) as Stored);

const changeOf = ({ type, kind, body, labels_before }: EventRow): Change => ({
  type,
  kind,
  object: parse(body),
  labelsBefore: labels_before === null ? {} : (JSON.parse(labels_before) as Record<string, string>),
});
