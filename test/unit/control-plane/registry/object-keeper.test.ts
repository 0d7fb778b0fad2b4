import { pino } from 'pino';
import t from 'tap';
import { NAMESPACE } from '../../../../api/namespace.ts';
import { WORKLOAD, type Workload } from '../../../../api/workload.ts';
import { manualClock } from '../../../../common/clock.ts';
import { ObjectKeeper } from '../../../../control-plane/registry/object-keeper.ts';
import { SqliteStore } from '../../../../control-plane/store/sqlite-store.ts';
import { waitFor } from '../../../support/wait-for.ts';

const silent = pino({ level: 'silent' });
const workload = (health: 'Healthy' | 'Unhealthy', namespace = 'shop'): Workload => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'Workload',
  metadata: { name: 'a', namespace },
  spec: { address: '10.0.0.1', ports: [{ port: 80 }], weight: 1 },
  status: { health, sidecar: 'a' },
});

const setUp = async (intervalMs = 0) => {
  const clock = manualClock();
  const store = new SqliteStore({ path: ':memory:', clock });
  await store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  const keeper = new ObjectKeeper(store, WORKLOAD, intervalMs, clock, silent);
  const health = async () => (await store.get(WORKLOAD, 'shop', 'a'))?.status?.health;
  return { clock, store, keeper, health };
};

t.test('an object is created, follows what is wanted, and is deleted', async t => {
  const { store, keeper, health } = await setUp();
  keeper.keep(workload('Healthy'));
  await waitFor('created', async () => (await health()) === 'Healthy');
  keeper.keep(workload('Unhealthy'));
  await waitFor('changed', async () => (await health()) === 'Unhealthy');
  t.equal((await store.get(WORKLOAD, 'shop', 'a'))?.metadata.generation, 1, 'only its status');
  keeper.drop('shop', 'a');
  await waitFor('deleted', async () => (await health()) === undefined);
  keeper.drop('shop', 'a');
  await store[Symbol.asyncDispose]();
});

t.test('wishes that come quickly are one write, and the newest counts', async t => {
  const { clock, store, keeper, health } = await setUp(1_000);
  keeper.keep(workload('Healthy'));
  await waitFor('created', async () => (await health()) === 'Healthy');
  const version = store.version();
  for (let i = 0; i < 9; i++) keeper.keep(workload(i % 2 === 0 ? 'Unhealthy' : 'Healthy'));
  keeper.keep(workload('Unhealthy'));
  t.equal(store.version(), version);
  clock.advance(1_000);
  await waitFor('changed', async () => (await health()) === 'Unhealthy');
  t.equal(Number(store.version()), Number(version) + 1);
  keeper.keep(workload('Healthy'));
  keeper.drop('shop', 'a');
  await waitFor('a deletion waits for nothing', async () => (await health()) === undefined);
  await store[Symbol.asyncDispose]();
});

t.test('what the store refuses is tried again', async t => {
  const { clock, store, keeper } = await setUp();
  keeper.keep(workload('Healthy', 'later'));
  await new Promise(resolve => setTimeout(resolve, 10));
  t.equal(await store.get(WORKLOAD, 'later', 'a'), undefined);
  await store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'later' } });
  clock.advance(1_000);
  await waitFor('created', async () => (await store.get(WORKLOAD, 'later', 'a')) !== undefined);
  keeper.close();
  keeper.drop('later', 'a');
  await new Promise(resolve => setTimeout(resolve, 10));
  t.ok(await store.get(WORKLOAD, 'later', 'a'), 'a closed keeper writes nothing');
  await store[Symbol.asyncDispose]();
});
