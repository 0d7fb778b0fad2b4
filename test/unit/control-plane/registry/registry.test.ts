import { pino } from 'pino';
import t from 'tap';
import { NAMESPACE } from '../../../../api/namespace.ts';
import { SIDECAR } from '../../../../api/sidecar.ts';
import { WORKLOAD } from '../../../../api/workload.ts';
import { manualClock } from '../../../../common/clock.ts';
import { SidecarSession } from '../../../../control-plane/push/sidecar-session.ts';
import { GONE_MS, RETURN_MS, Registry } from '../../../../control-plane/registry/registry.ts';
import { SqliteStore } from '../../../../control-plane/store/sqlite-store.ts';
import { translatorOf } from '../../../support/objects.ts';
import { waitFor } from '../../../support/wait-for.ts';

const silent = pino({ level: 'silent' });
const STREAM = { write: () => true, onDrain: () => {}, end: () => {}, destroy: () => {} };

const setUp = async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  const store = new SqliteStore({ path: ':memory:', clock });
  await store.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  const run = () => {
    const registry = new Registry(store, clock, silent);
    const connect = (instance: string, advertise = '10.0.0.1:15006', service = 'web', health = 'Healthy') => {
      const session = new SidecarSession(
        { namespace: 'shop', serviceAccount: 'web', identity: 'id', address: 'peer', certificateExpiresAtMs: 0 },
        STREAM,
        translatorOf(),
        {
          opened: opened => registry.connected(opened),
          interested: () => {},
          changed: changed => registry.changed(changed),
          left: left => registry.left(left),
          upToDate: () => {},
          closed: closed => registry.disconnected(closed),
        },
        clock,
        '0.1.0',
      );
      const have = { configVersion: '', endpointVersion: '', services: {} };
      const ports = [{ name: 'http', port: 80, protocol: 'http' }];
      const labels = { version: 'v1' };
      const about = {
        protocol: 1,
        release: '0.1.0',
        instance,
        service,
        ports,
        labels,
        locality: 'eu/1',
        advertise,
        health,
      };
      session.receive(JSON.stringify({ type: 'hello', ...about, have, subscriptions: [] }));
      return session;
    };
    return { registry, connect };
  };
  const names = async () => (await store.list(WORKLOAD)).items.map(({ metadata }) => metadata.name);
  const become = (expected: readonly string[]) =>
    waitFor(`workloads ${expected.join()}`, async () => (await names()).join() === expected.join());
  return { clock, store, run, names, become };
};

t.test('a connected sidecar is a Workload and a Sidecar, with what it said about itself', async t => {
  const { store, run, become } = await setUp();
  const { connect, registry } = run();
  connect('one', '[fd00::1]:15006');
  await become(['web-one']);
  t.match((await store.list(WORKLOAD)).items[0], {
    metadata: { labels: { version: 'v1' } },
    spec: { address: 'fd00::1', sidecarPort: 15006, service: 'web', serviceAccount: 'web', locality: 'eu/1' },
    status: { health: 'Healthy', sidecar: 'web-one' },
  });
  await waitFor('sidecar', async () => (await store.list(SIDECAR)).items.length === 1);
  t.match((await store.list(SIDECAR)).items[0], {
    spec: { identity: 'id' },
    status: { release: '0.1.0', peer: 'peer' },
  });
  registry.close();
});

t.test('a Workload says whether its app can serve, if not why, and since when', async t => {
  const { clock, store, run, become } = await setUp();
  const { connect, registry } = run();
  const session = connect('one');
  await become(['web-one']);
  const report = async (health: string, reason: string) => {
    const about = {
      ready: false,
      health,
      reason,
      clockSkewMs: 0,
      certificateExpiresAtMs: 0,
      services: 0,
      endpoints: 0,
    };
    session.receive(JSON.stringify({ type: 'report', ...about }));
    return waitFor(`${health} ${reason}`, async () => {
      const status = (await store.list(WORKLOAD)).items[0]?.status;
      const condition = status?.conditions?.[0];
      return status?.health === health && condition?.message.includes(reason) && condition;
    });
  };
  const good = await report('Healthy', '');
  t.match(good, { type: 'Healthy', status: 'True', reason: 'CanServe', message: 'The app can serve.' });
  clock.advance(5_000);
  const bad = await report('Unhealthy', 'status 503');
  t.match(bad, { status: 'False', reason: 'CannotServe', message: 'status 503' });
  t.equal(Date.parse(bad.lastTransitionTime) - Date.parse(good.lastTransitionTime), 5_000);
  clock.advance(5_000);
  const leaving = await report('Draining', 'The sidecar is draining.');
  t.match(leaving, { status: 'False', reason: 'Draining', lastTransitionTime: bad.lastTransitionTime });
  connect('one');
  await new Promise(resolve => setImmediate(resolve));
  t.match((await store.list(WORKLOAD)).items[0]?.status?.conditions?.[0], leaving, 'it stands until it reports again');
  registry.close();
});

t.test('a sidecar that starts has no Workload before it knows whether its app can serve', async t => {
  const { clock, store, run, become, names } = await setUp();
  const { connect, registry } = run();
  connect('old').close();
  await become(['web-old']);
  const session = connect('one', '10.0.0.1:15006', 'web', 'Starting');
  await waitFor('its Sidecar', async () => (await store.list(SIDECAR)).items.length === 2);
  t.same(await names(), ['web-old']);
  const about = { ready: false, clockSkewMs: 0, certificateExpiresAtMs: 0, services: 0, endpoints: 0 };
  session.receive(JSON.stringify({ type: 'report', health: 'Unhealthy', reason: 'status 503', ...about }));
  await become(['web-one']);
  t.equal((await store.list(WORKLOAD)).items[0]?.status?.health, 'Unhealthy', 'it takes the place of the one before');
  session.receive(JSON.stringify({ type: 'report', health: 'Starting', ...about }));
  await new Promise(resolve => setImmediate(resolve));
  t.equal((await store.list(WORKLOAD)).items[0]?.status?.health, 'Unhealthy', 'which stays, whatever it says');
  t.ok(clock.pending > 0);
  registry.close();
});

t.test('a connection that comes back in time changes nothing; one that does not is gone', async t => {
  const { clock, run, become, names } = await setUp();
  const { connect } = run();
  connect('one').close();
  await become(['web-one']);
  clock.advance(GONE_MS - 1);
  const again = connect('one');
  clock.advance(GONE_MS);
  await new Promise(resolve => setImmediate(resolve));
  t.same(await names(), ['web-one']);
  again.close();
  clock.advance(GONE_MS);
  await become([]);
});

t.test('a second connection of the same instance replaces the first, whose end then means nothing', async t => {
  const { clock, run, become, names } = await setUp();
  const { connect } = run();
  const first = connect('one');
  connect('one');
  t.ok(first.closed);
  clock.advance(GONE_MS - 1);
  await become(['web-one']);
  t.same(await names(), ['web-one']);
});

t.test('a goodbye removes it at once', async () => {
  const { run, become } = await setUp();
  const session = run().connect('one');
  await become(['web-one']);
  session.receive('{"type":"bye"}');
  await become([]);
});

t.test('after a restart of the control plane workloads have 30 s to come back', async t => {
  const { clock, run, become, names } = await setUp();
  const first = run();
  first.connect('one', '10.0.0.1:15006');
  first.connect('two', '10.0.0.2:15006');
  await become(['web-one', 'web-two']);
  first.registry.close();
  const second = run();
  await second.registry.start();
  second.connect('one', '10.0.0.1:15006');
  clock.advance(RETURN_MS - 10_000);
  await new Promise(resolve => setImmediate(resolve));
  t.same(await names(), ['web-one', 'web-two']);
  const alive = second.connect('one', '10.0.0.1:15006');
  clock.advance(10_000);
  await become(['web-one']);
  t.notOk(alive.closed);
});

t.test(
  'a sidecar that restarted without its state folder takes the place of the one that was at its address',
  async () => {
    const { run, become } = await setUp();
    const { connect } = run();
    connect('old').close();
    await become(['web-old']);
    connect('new');
    await become(['web-new']);
  },
);
