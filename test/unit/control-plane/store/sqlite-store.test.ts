import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { NAMESPACE, type Namespace } from '../../../../api/namespace.ts';
import { SERVICE, type Service } from '../../../../api/service.ts';
import { SERVICE_ACCOUNT } from '../../../../api/service-account.ts';
import { manualClock } from '../../../../common/clock.ts';
import { type ResourceEvent, StoreError } from '../../../../control-plane/store/resource-store.ts';
import { SqliteStore } from '../../../../control-plane/store/sqlite-store.ts';

const WALL_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

const namespace = (name: string): Namespace => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

const service = (name: string, port = 80, labels: Record<string, string> = {}, space = 'default'): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: space, labels },
  spec: { type: 'ClusterIP', ports: [{ port, protocol: 'TCP' }] },
});

const openStore = async (path = ':memory:', historySize?: number): Promise<SqliteStore> => {
  const store = new SqliteStore({
    path,
    clock: manualClock(WALL_MS),
    ...(historySize === undefined ? {} : { historySize }),
  });
  if ((await store.get(NAMESPACE, '', 'default')) === undefined) await store.create(NAMESPACE, namespace('default'));
  return store;
};

const withStore = (name: string, run: (t: Test, store: SqliteStore) => Promise<void>) =>
  t.test(name, async t => {
    await using store = await openStore();
    await run(t, store);
  });

const code = (expected: StoreError['code']) => ({ name: 'StoreError', code: expected });
const brief = ({ type, object }: ResourceEvent) => `${type} ${object.kind} ${object.metadata.name}`;

withStore('a created object gets uid, version, generation and time', async (t, store) => {
  const created = await store.create(SERVICE, service('web'));
  t.match(created.metadata, { name: 'web', namespace: 'default', resourceVersion: '2', generation: 1 });
  t.match(created.metadata.uid, /^[0-9a-f-]{36}$/);
  t.equal(created.metadata.creationTimestamp, '2026-01-02T03:04:05Z');
  t.same(await store.get(SERVICE, 'default', 'web'), created, 'and is read back as it was answered');
  t.notOk('labels' in created.metadata, 'empty labels are not kept');
  t.throws(() => Object.assign(created.spec, { type: 'ExternalName' }), 'and is frozen');
});

withStore('a name is taken once, in a namespace that exists', async (t, store) => {
  await store.create(SERVICE, service('web'));
  await t.rejects(store.create(SERVICE, service('web')), code('already-exists'));
  await t.rejects(store.create(SERVICE, service('web', 80, {}, 'nowhere')), {
    code: 'not-found',
    message: 'namespaces "nowhere" not found',
  });
  await store.create(NAMESPACE, namespace('other'));
  t.ok(
    await store.create(SERVICE, service('web', 80, {}, 'other')),
    'the same name in another namespace is another object',
  );
});

withStore('the generation counts changes of the spec alone', async (t, store) => {
  await store.create(SERVICE, service('web'));
  t.equal((await store.update(SERVICE, service('web', 80, { app: 'web' }))).metadata.generation, 1);
  t.equal((await store.updateStatus(SERVICE, 'default', 'web', { conditions: [] })).metadata.generation, 1);
  t.equal((await store.update(SERVICE, service('web', 81))).metadata.generation, 2);
});

withStore('an update keeps the status, and a status update keeps the rest', async (t, store) => {
  await store.create(SERVICE, service('web'));
  await store.updateStatus(SERVICE, 'default', 'web', { conditions: [] });
  const updated = await store.update(SERVICE, { ...service('web', 81), status: {} });
  t.same(updated.status, { conditions: [] });
  t.equal((await store.updateStatus(SERVICE, 'default', 'web', {})).spec.ports?.[0]?.port, 81);
});

withStore('a write that changes nothing is no event', async (t, store) => {
  const created = await store.create(SERVICE, service('web', 80, { app: 'web' }));
  t.same(await store.update(SERVICE, service('web', 80, { app: 'web' })), created);
  t.same(await store.updateStatus(SERVICE, 'default', 'web', undefined), created);
  t.equal(store.version(), '2');
});

withStore('a stale version or another uid is a conflict, and changes nothing', async (t, store) => {
  const { metadata } = await store.create(SERVICE, service('web'));
  await store.update(SERVICE, service('web', 81));
  const stale = { ...service('web', 82), metadata: { ...metadata } };
  await t.rejects(store.update(SERVICE, stale), code('conflict'));
  await t.rejects(store.updateStatus(SERVICE, 'default', 'web', {}, '2'), code('conflict'));
  await t.rejects(store.delete(SERVICE, 'default', 'web', { resourceVersion: '2' }), code('conflict'));
  await t.rejects(store.delete(SERVICE, 'default', 'web', { uid: 'another' }), code('conflict'));
  t.equal((await store.get(SERVICE, 'default', 'web'))?.spec.ports?.[0]?.port, 81);
  t.equal(
    (await store.update(SERVICE, { ...stale, metadata: { ...metadata, resourceVersion: '3' } })).spec.ports?.[0]?.port,
    82,
  );
});

withStore('what is not there cannot be changed', async (t, store) => {
  await t.rejects(store.update(SERVICE, service('web')), code('not-found'));
  await t.rejects(store.updateStatus(SERVICE, 'default', 'web', {}), code('not-found'));
  await t.rejects(store.delete(SERVICE, 'default', 'web'), code('not-found'));
  t.equal(await store.get(SERVICE, 'default', 'web'), undefined);
});

withStore('writes that come together are done in their order', async (t, store) => {
  const answers = await Promise.allSettled([
    store.create(SERVICE, service('a')),
    store.create(SERVICE, service('a')),
    store.update(SERVICE, service('a', 81)),
    store.delete(SERVICE, 'default', 'a'),
    store.create(SERVICE, service('a')),
  ]);
  t.same(
    answers.map(answer => answer.status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
  t.equal(store.version(), '5');
});

withStore('a namespace takes everything in it along', async (t, store) => {
  await store.create(NAMESPACE, namespace('shop'));
  await store.create(SERVICE, service('web', 80, {}, 'shop'));
  await store.create(SERVICE_ACCOUNT, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'web', namespace: 'shop' },
  });
  const events: ResourceEvent[] = [];
  await store.watch({}, store.version(), event => events.push(event));
  await store.delete(NAMESPACE, '', 'shop');
  t.same(events.map(brief), ['DELETED ServiceAccount web', 'DELETED Service web', 'DELETED Namespace shop']);
  t.equal(await store.get(SERVICE, 'shop', 'web'), undefined);
});

withStore('lists go by namespace and name, filtered', async (t, store) => {
  await store.create(NAMESPACE, namespace('a'));
  for (const name of ['b', 'c', 'a']) await store.create(SERVICE, service(name, 80, { name }));
  await store.create(SERVICE, service('z', 80, {}, 'a'));
  const names = async (query: Parameters<typeof store.list>[1]) =>
    (await store.list(SERVICE, query)).items.map(item => item.metadata.name).join();
  t.equal(await names({}), 'z,a,b,c');
  t.equal(await names({ namespace: 'default' }), 'a,b,c');
  t.equal(await names({ name: 'b' }), 'b');
  t.equal(await names({ labels: labels => labels.name === 'c' }), 'c');
  t.equal((await store.list(SERVICE)).resourceVersion, store.version());
});

withStore('a list in pages has every object once, as of the first page', async (t, store) => {
  for (let i = 0; i < 7; i++) await store.create(SERVICE, service(`s${i}`));
  const { resourceVersion } = await store.list(SERVICE);
  const seen: string[] = [];
  let continueToken: string | undefined;
  do {
    const page = await store.list(SERVICE, { limit: 3, continueToken });
    t.equal(page.resourceVersion, resourceVersion);
    seen.push(page.items.map(item => item.metadata.name).join());
    continueToken = page.continueToken || undefined;
    await store.update(SERVICE, service('s0', 100 + seen.length));
  } while (continueToken !== undefined);
  t.same(seen, ['s0,s1,s2', 's3,s4,s5', 's6']);
  await t.rejects(store.list(SERVICE, { continueToken: 'nonsense' }), code('expired'));
});

withStore('a watch sees every later write once, in order', async (t, store) => {
  const first = await store.create(SERVICE, service('a'));
  await store.create(SERVICE, service('b'));
  const events: ResourceEvent[] = [];
  const watch = await store.watch({ kind: SERVICE }, first.metadata.resourceVersion, event => events.push(event));
  t.same(events.map(brief), ['ADDED Service b'], 'the retained ones at once');
  await store.update(SERVICE, service('a', 81));
  await store.create(NAMESPACE, namespace('other'));
  await store.delete(SERVICE, 'default', 'b');
  watch.close();
  await store.create(SERVICE, service('c'));
  t.same(events.map(brief), ['ADDED Service b', 'MODIFIED Service a', 'DELETED Service b']);
  t.same(
    events.map(event => event.resourceVersion),
    ['3', '4', '6'],
  );
  t.equal(events[2]?.object.metadata.resourceVersion, '6', 'a deletion has its own version');
});

withStore('a watch by label sees objects begin and end to match', async (t, store) => {
  const live: string[] = [];
  const labels = ({ app }: Readonly<Record<string, string>>) => app === 'web';
  const from = store.version();
  await store.watch({ kind: SERVICE, labels }, from, event => live.push(brief(event)));
  await store.create(SERVICE, service('a'));
  await store.update(SERVICE, service('a', 80, { app: 'web' }));
  await store.update(SERVICE, service('a', 81, { app: 'web' }));
  await store.update(SERVICE, service('a', 81, { app: 'api' }));
  await store.create(SERVICE, service('b', 80, { app: 'web' }));
  await store.delete(SERVICE, 'default', 'a');
  await store.delete(SERVICE, 'default', 'b');
  const expected = [
    'ADDED Service a',
    'MODIFIED Service a',
    'DELETED Service a',
    'ADDED Service b',
    'DELETED Service b',
  ];
  t.same(live, expected);
  const replayed: string[] = [];
  await store.watch({ kind: SERVICE, labels, namespace: 'default' }, from, event => replayed.push(brief(event)));
  t.same(replayed, expected, 'the same from the history');
  const one: string[] = [];
  await store.watch({ kind: SERVICE, name: 'b' }, from, event => one.push(brief(event)));
  t.same(one, ['ADDED Service b', 'DELETED Service b'], 'and one object by its name');
});

withStore('a watch may close another while it is called', async (t, store) => {
  const seen: string[] = [];
  const other = { close: () => {} };
  await store.watch({}, store.version(), () => other.close());
  Object.assign(other, await store.watch({}, store.version(), event => seen.push(brief(event))));
  await store.create(SERVICE, service('a'));
  t.same(seen, []);
});

withStore('a watch that is opened while writes are told sees none of them twice', async (t, store) => {
  const seen: string[] = [];
  let opened = false;
  await store.watch({}, store.version(), () => {
    if (!opened) void store.watch({}, '1', event => seen.push(brief(event)));
    opened = true;
  });
  await Promise.all(['a', 'b', 'c'].map(name => store.create(SERVICE, service(name))));
  t.same(seen, ['ADDED Service a', 'ADDED Service b', 'ADDED Service c']);
});

t.test('a watch from before the history, or from the future, has expired', async t => {
  await using store = await openStore(':memory:', 5);
  for (let i = 0; i < 9; i++) await store.create(SERVICE, service(`s${i}`));
  await t.rejects(
    store.watch({}, '4', () => {}),
    code('expired'),
  );
  await t.rejects(
    store.watch({}, '11', () => {}),
    code('expired'),
  );
  await t.rejects(
    store.watch({}, 'x', () => {}),
    code('expired'),
  );
  const events: ResourceEvent[] = [];
  await store.watch({}, '5', event => events.push(event));
  t.equal(events.length, 5);
  const old = Buffer.from('4/default/s1').toString('base64url');
  await t.rejects(store.list(SERVICE, { continueToken: old }), code('expired'));
});

t.test('a file keeps objects, versions and history over a restart', async t => {
  const path = join(t.testdir(), 'store.db');
  {
    await using store = await openStore(path);
    await store.create(SERVICE, service('web'));
    await store.delete(SERVICE, 'default', 'web');
    void store.create(SERVICE, service('late'));
  }
  t.equal(statSync(path).mode & 0o777, 0o600);
  await using store = await openStore(path);
  t.equal(store.version(), '4', 'versions go on, and what was waiting at the end was written');
  const events: ResourceEvent[] = [];
  await store.watch({}, '1', event => events.push(event));
  t.same(events.map(brief), ['ADDED Service web', 'DELETED Service web', 'ADDED Service late']);
});

t.test('a file belongs to one process, and to this release', async t => {
  const path = join(t.testdir(), 'store.db');
  {
    await using store = await openStore(path);
    t.ok(store.version());
    t.throws(() => new SqliteStore({ path, clock: manualClock() }), {
      code: 'unavailable',
      message: /another control plane/,
    });
  }
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version = 99');
  database.close();
  t.throws(() => new SqliteStore({ path, clock: manualClock() }), { code: 'unavailable', message: /newer release/ });
});

t.test('when the disk refuses, nothing of that round was written', async t => {
  const path = join(t.testdir(), 'store.db');
  await (await openStore(path))[Symbol.asyncDispose]();
  const database = new DatabaseSync(path);
  database.exec(
    `CREATE TRIGGER full BEFORE INSERT ON objects WHEN NEW.name = 'large' BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
  );
  database.close();
  await using store = await openStore(path);
  const events: ResourceEvent[] = [];
  await store.watch({}, store.version(), event => events.push(event));
  const answers = await Promise.allSettled([
    store.create(SERVICE, service('a')),
    store.create(SERVICE, service('large')),
  ]);
  t.match(answers, [
    { status: 'rejected', reason: { code: 'unavailable', message: /disk is full/ } },
    { status: 'rejected', reason: { code: 'unavailable' } },
  ]);
  t.equal(store.version(), '1');
  const created = await store.create(SERVICE, service('a'));
  t.equal(created.metadata.resourceVersion, '2', 'the next write is fine');
  t.same(events.map(brief), ['ADDED Service a']);
});

t.test('a closed store refuses writes', async t => {
  const store = await openStore();
  await store[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await t.rejects(store.create(SERVICE, service('a')), code('unavailable'));
  t.ok(new StoreError('expired', 'x') instanceof Error);
});
