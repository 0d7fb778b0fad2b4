import { connect as connectTcp } from 'node:net';
import t from 'tap';
import type { HttpRoute } from '../../api/http-route.ts';
import { HTTP_ROUTE } from '../../api/http-route.ts';
import { SERVICE } from '../../api/service.ts';
import { SIDECAR } from '../../api/sidecar.ts';
import { WORKLOAD } from '../../api/workload.ts';
import { manualClock } from '../../common/clock.ts';
import { startBackHalf } from '../support/back-half.ts';
import { createServices } from '../support/many-services.ts';
import { identityFrom, type SimulatedSidecar, simulateSidecar } from '../support/simulated-sidecar.ts';
import { startTestSidecar, until } from '../support/test-sidecar.ts';

const routeTo = (service: string, weight: number): HttpRoute => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: `route-${service}`, namespace: 'default' },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: service }],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/' } }],
        backendRefs: [{ group: '', kind: 'Service', name: service, port: 80, weight }],
      },
    ],
  },
});

t.test('a change reaches the sidecars that subscribe to it within a second, and wakes nobody else', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  await createServices(plane.store, 200, 2);
  const connect = (i: number): Promise<SimulatedSidecar> =>
    simulateSidecar({
      url: plane.url,
      tls: identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', `client-${i}`),
      instance: `i${i}`,
      // Neighbours overlap: each service has ten subscribers.
      subscriptions: Array.from({ length: 10 }, (_, k) => `service-${(i + k) % 40}.default`),
    });
  const sidecars = await Promise.all(Array.from({ length: 40 }, (_, i) => connect(i)));
  const start = performance.now();
  await plane.store.create(HTTP_ROUTE, routeTo('service-20', 1));
  await until('ten have it', () => sidecars.filter(({ updates }) => updates.length === 2).length === 10);
  t.ok(performance.now() - start < 1_000);
  await new Promise(resolve => setTimeout(resolve, 50));
  t.equal(
    sidecars.reduce((sum, { updates }) => sum + updates.length, 0),
    50,
    'one more update for each of the ten',
  );
  for (const { updates } of sidecars) {
    const [, delta] = updates;
    if (delta === undefined) continue;
    t.match(delta.changed, [{ service: 'service-20.default' }]);
    t.equal(delta.changed[0]?.endpoints, undefined, 'endpoints did not change and are not sent');
  }
  for (const { stream } of sidecars) stream.close('done');
});

t.test('a sidecar that does not confirm slows nobody, and gets the newest state at once when it does', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  await createServices(plane.store, 2, 1);
  const connect = (i: number): Promise<SimulatedSidecar> =>
    simulateSidecar({
      url: plane.url,
      tls: identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', `client-${i}`),
      instance: `i${i}`,
      subscriptions: ['service-0.default'],
    });
  const [slow, quick] = await Promise.all([connect(0), connect(1)]);
  slow.confirms = false;
  await plane.store.create(HTTP_ROUTE, routeTo('service-0', 1));
  for (let weight = 2; weight <= 20; weight++) {
    await plane.store.update(HTTP_ROUTE, routeTo('service-0', weight));
    await new Promise(resolve => setImmediate(resolve));
  }
  const weightOf = ({ updates }: SimulatedSidecar): number | undefined =>
    updates.at(-1)?.changed[0]?.config?.ports[0]?.routes[0]?.backends[0]?.weight;
  await until('the quick one has the last', () => weightOf(quick) === 20);
  t.equal(slow.updates.length, 2, 'one update is under way, and no queue behind it');
  slow.confirms = true;
  slow.stream.send({ type: 'ack', update: 2 });
  await until('the slow one has the last', () => weightOf(slow) === 20);
  t.equal(slow.updates.length, 3);
  for (const { stream } of [slow, quick]) stream.close('done');
});

t.test(
  'a sidecar that comes back gets only what changed meanwhile, also from a control plane that was restarted',
  async t => {
    const dataDir = t.testdir();
    const storePath = `${dataDir}/store.db`;
    const options = { instance: 'same', subscriptions: ['service-0.default', 'service-1.default'] };
    let have: { configVersion: string; endpointVersion: string; services: Record<string, readonly [string, string]> };
    {
      await using plane = await startBackHalf({ dataDir, storePath });
      await createServices(plane.store, 2, 1);
      const tls = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'client');
      const sidecar = await simulateSidecar({ url: plane.url, tls, ...options });
      const [{ configVersion, endpointVersion, changed }] = sidecar.updates as [SimulatedSidecar['updates'][number]];
      t.equal(changed.length, 2);
      have = {
        configVersion,
        endpointVersion,
        services: Object.fromEntries(changed.map(({ service, versions }) => [service, versions])),
      };
      sidecar.stream.close('restart');
    }
    await using plane = await startBackHalf({ dataDir, storePath });
    const tls = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'client');
    const same = await simulateSidecar({ url: plane.url, tls, ...options, have });
    t.match(same.updates, [{ configVersion: have.configVersion, changed: [], removed: [] }], 'nothing changed');
    same.stream.close('again');
    await plane.store.create(HTTP_ROUTE, routeTo('service-1', 1));
    const changed = await simulateSidecar({ url: plane.url, tls, ...options, have });
    t.match(changed.updates, [{ changed: [{ service: 'service-1.default' }] }]);
    t.equal(changed.updates[0]?.changed.length, 1);
    changed.stream.close('done');
  },
);

t.test(
  'an update that cannot be applied is refused with a path that `Sidecar` shows; the old one stays, and a better one is taken',
  async t => {
    const dir = t.testdir({ data: {}, web: {} });
    await using plane = await startBackHalf({ dataDir: `${dir}/data` });
    await createServices(plane.store, 1, 1);
    let strict = false;
    await using web = startTestSidecar({
      stateDir: `${dir}/web`,
      controlPlanes: [plane.url],
      caFile: plane.caFile,
      token: await plane.token('default', 'web'),
      service: 'web',
      upstreams: ['service-0'],
      validate: value =>
        strict && JSON.stringify(value).includes('"weight":7,')
          ? { path: 'services[0].ports[0].routes[0].backends[0].weight', reason: 'must not be 7' }
          : undefined,
    });
    await until('subscribed', () => web.discovery.lookup('service-0') === 'known');
    strict = true;
    const before = web.discovery.snapshots.value;
    await plane.store.create(HTTP_ROUTE, routeTo('service-0', 7));
    const object = async () => (await plane.store.list(SIDECAR)).items[0]?.status;
    await until('refused', async () => (await object())?.state === 'Refused');
    t.match(await object(), {
      refused: { path: 'services[0].ports[0].routes[0].backends[0].weight', reason: 'must not be 7' },
      acked: { config: before.configVersion },
    });
    t.equal(web.discovery.snapshots.value, before);
    t.match(web.discovery.status().refused, { reason: 'must not be 7' });
    await plane.store.update(HTTP_ROUTE, routeTo('service-0', 8));
    await until('synced', async () => (await object())?.state === 'Synced');
    t.equal((await object())?.refused, undefined);
    t.not(web.discovery.snapshots.value, before);
  },
);

t.test('lines that are not messages, too long or out of order end the stream with a sentence', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  const tls = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'client');
  const attempt = async (send: (sidecar: SimulatedSidecar) => void): Promise<string> => {
    const sidecar = await simulateSidecar({ url: plane.url, tls, instance: 'i', subscriptions: [] });
    send(sidecar);
    await until('closed', () => sidecar.closedBecause !== '');
    return sidecar.refusal;
  };
  t.match(await attempt(({ stream }) => stream.send({ type: 'party' })), /type must be that of a message/);
  t.match(
    await attempt(({ stream }) => stream.send({ type: 'ack', update: 99 })),
    /update must be that of the update under way/,
  );
  t.match(
    await attempt(({ stream }) =>
      stream.send({ type: 'subscribe', names: Array.from({ length: 2_001 }, (_, i) => `a${i}.b`) }),
    ),
    /at most 2000/,
  );
  t.match(
    await attempt(({ stream }) => stream.send({ type: 'subscribe', names: ['x'.repeat(1_100_000)] })),
    /at most 1048576 bytes/,
  );
  t.match(
    await attempt(({ stream }) => stream.send({ type: 'subscribe', names: ['x'.repeat(400)] })),
    /at most 300 characters/,
  );
});

t.test('a workload is gone ten seconds after its connection is lost, and not before', async t => {
  const clock = manualClock(Date.now());
  await using plane = await startBackHalf({ dataDir: t.testdir(), clock });
  await plane.token('default', 'web');
  const tls = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'web');
  const sidecar = await simulateSidecar({ url: plane.url, tls, instance: 'one', service: 'web', subscriptions: [] });
  const workloads = async (): Promise<number> => (await plane.store.list(WORKLOAD)).items.length;
  await until('registered', async () => (await workloads()) === 1);
  sidecar.stream.close('lost');
  await until('noticed', () => plane.push.sessions.size === 0);
  clock.advance(9_900);
  await new Promise(resolve => setTimeout(resolve, 30));
  t.equal(await workloads(), 1);
  clock.advance(200);
  await until('gone', async () => (await workloads()) === 0);
});

t.test('a declared Service stays when its last workload goes', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  await plane.token('default', 'web');
  await plane.store.create(SERVICE, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { type: 'ClusterIP', clusterIP: '10.96.0.7', ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
  });
  const tls = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'web');
  const web = await simulateSidecar({ url: plane.url, tls, instance: 'one', service: 'web', subscriptions: [] });
  const client = await simulateSidecar({
    url: plane.url,
    tls: identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'client'),
    instance: 'two',
    subscriptions: ['web.default', '10.96.0.7:80'],
  });
  await until('one endpoint', () => client.updates.some(({ changed }) => changed[0]?.endpoints?.length === 1));
  t.match(client.updates[0]?.answers, { 'web.default': 'web.default', '10.96.0.7:80': 'web.default' });
  web.stream.send({ type: 'bye' });
  await until('no endpoint', () => client.updates.at(-1)?.changed[0]?.endpoints?.length === 0);
  t.same(client.updates.at(-1)?.removed, []);
  for (const { stream } of [web, client]) stream.close('done');
});

t.test('a connection that never finishes its handshake, or talks something else, does no harm', async t => {
  await using plane = await startBackHalf({ dataDir: t.testdir() });
  const socket = connectTcp(plane.channel.address.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await new Promise<void>(resolve => socket.once('close', () => resolve()));
  const tls = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'client');
  const sidecar = await simulateSidecar({ url: plane.url, tls, instance: 'i', subscriptions: [] });
  t.equal(sidecar.updates.length, 1);
  sidecar.stream.close('done');
});
