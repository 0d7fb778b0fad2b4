import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import t from 'tap';
import { HTTP_ROUTE } from '../../api/http-route.ts';
import { SIDECAR } from '../../api/sidecar.ts';
import { WORKLOAD } from '../../api/workload.ts';
import { startBackHalf } from '../support/back-half.ts';
import { createServices } from '../support/many-services.ts';
import { httpRoute, prefix } from '../support/objects.ts';
import { identityFrom } from '../support/simulated-sidecar.ts';
import { resolve, startTestSidecar, until } from '../support/test-sidecar.ts';

t.test(
  'while the control plane is away everything stays, a restarted sidecar is ready at once, and afterwards all is in sync',
  async t => {
    const dir = t.testdir({ data: {}, web: {}, pay: {} });
    const dataDir = `${dir}/data`;
    const storePath = `${dataDir}/store.db`;
    let plane = await startBackHalf({ dataDir, storePath });
    const port = plane.channel.address.port;
    const start = async (service: string, stateDir: string, token: string) =>
      startTestSidecar({
        stateDir,
        controlPlanes: [`https://127.0.0.1:${port}`],
        caFile: plane.caFile,
        token,
        service,
        ports: [{ name: 'http', port: 80, protocol: 'http' }],
        advertise: service === 'web' ? '10.0.0.1:15006' : '10.0.0.2:15006',
      });
    const pay = await start('payments', `${dir}/pay`, await plane.token('default', 'payments'));
    let web = await start('web', `${dir}/web`, await plane.token('default', 'web'));
    t.equal(await resolve(web.discovery, 'payments'), 'known');
    await until('both are registered', async () => (await plane.store.list(WORKLOAD)).items.length === 2);
    const before = web.discovery.snapshots.value;
    const created = (await plane.store.list(WORKLOAD)).items.map(({ metadata }) => metadata.uid);

    await plane[Symbol.asyncDispose]();
    await until('noticed', () => !web.discovery.status().connected);
    t.equal(web.discovery.lookup('payments'), 'known');
    t.equal(web.discovery.snapshots.value, before);
    t.equal(await resolve(web.discovery, 'unknown'), 'timeout', 'an unknown name fails closed');

    await web[Symbol.asyncDispose]();
    web = await start('web', `${dir}/web`, 'no longer a token');
    t.ok(web.discovery.ready, 'ready from the state folder, without the control plane and without a token');
    t.same(web.discovery.snapshots.value, before);
    t.equal(web.discovery.lookup('payments'), 'known');

    plane = await startBackHalf({ dataDir, storePath, port });
    await until('both are back', () => web.discovery.status().connected && pay.discovery.status().connected, 15_000);
    t.same(
      (await plane.store.list(WORKLOAD)).items.map(({ metadata }) => metadata.uid),
      created,
      'the same workloads: nobody was deregistered in between',
    );
    t.equal(web.discovery.snapshots.value.configVersion, before.configVersion);
    const { spec } = httpRoute('r', { name: 'payments' }, [{ matches: [prefix('/')] }]);
    await plane.store.create(HTTP_ROUTE, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'r', namespace: 'default' },
      spec,
    });
    await until('a change arrives', () => web.discovery.snapshots.value.configVersion !== before.configVersion);
    await until('Sidecar objects say so', async () =>
      (await plane.store.list(SIDECAR)).items.every(({ status }) => status?.state === 'Synced'),
    );
    for (const each of [web, pay, plane]) await each[Symbol.asyncDispose]();
  },
);

t.test('of several control planes the next one is used when one fails', async t => {
  const dir = t.testdir({ data: {}, web: {} });
  const dataDir = `${dir}/data`;
  const storePath = `${dataDir}/store.db`;
  const first = await startBackHalf({ dataDir, storePath });
  const { caFile } = first;
  const token = await first.token('default', 'web');
  // Both hold the same keys; the second one has a store of its own.
  await using second = await startBackHalf({ dataDir });
  await second.token('default', 'web');
  await using web = startTestSidecar({
    stateDir: `${dir}/web`,
    controlPlanes: [first.url, second.url],
    caFile,
    token,
    service: 'web',
  });
  await until('connected to the first', () => web.discovery.status().controlPlane === first.url && web.discovery.ready);
  await first[Symbol.asyncDispose]();
  await until(
    'connected to the second',
    () => {
      const { connected, controlPlane } = web.discovery.status();
      return connected && controlPlane === second.url;
    },
    15_000,
  );
  t.equal(second.push.sessions.size, 1);
});

t.test('certificates of a few seconds are renewed without end, and the stream follows them', async t => {
  const dir = t.testdir({ data: {}, web: {} });
  await using plane = await startBackHalf({ dataDir: `${dir}/data`, lifetimeMs: 3_000 });
  await createServices(plane.store, 1, 1);
  await using web = startTestSidecar({
    stateDir: `${dir}/web`,
    controlPlanes: [plane.url],
    caFile: plane.caFile,
    token: await plane.token('default', 'web'),
    service: 'web',
    ports: [{ port: 80 }],
    upstreams: ['service-0'],
  });
  const serials = new Set<string>();
  let expired = 0;
  web.certificates.onChange(({ certificatePem }) => serials.add(certificatePem));
  const workloads: number[] = [];
  const end = Date.now() + 5_000;
  await until('ready', () => web.discovery.lookup('service-0') === 'known');
  while (Date.now() < end) {
    if ((web.certificates.current?.notAfterMs ?? 0) < Date.now()) expired++;
    if (!web.discovery.ready || web.discovery.lookup('service-0') !== 'known') t.fail('not ready');
    workloads.push((await plane.store.list(WORKLOAD)).items.length);
    await new Promise(done => setTimeout(done, 50));
  }
  t.ok(serials.size >= 3, `${serials.size} certificates in 5 s`);
  t.equal(expired, 0);
  t.same(new Set(workloads.slice(20)), new Set([2]), 'the workload was there all the time');
  await until('no error but while the stream follows', () => web.discovery.status().lastError === '');
});

t.test('a server that is not the control plane is not talked to, whichever good certificate it has', async t => {
  const dir = t.testdir({ data: {}, web: {}, other: {} });
  await using plane = await startBackHalf({ dataDir: `${dir}/data` });
  const workload = identityFrom(plane.identities.mesh.authority, plane.trustBundlePem, 'default', 'web');
  const impostor = createSecureServer({ cert: workload.certificatePem, key: workload.keyPem });
  let requests = 0;
  impostor.on('request', (_request, response) => {
    requests++;
    response.end();
  });
  impostor.listen(0, '127.0.0.1');
  await once(impostor, 'listening');
  t.teardown(() => impostor.close());
  await using web = startTestSidecar({
    stateDir: `${dir}/web`,
    controlPlanes: [`https://127.0.0.1:${(impostor.address() as AddressInfo).port}`],
    caFile: plane.caFile,
    token: await plane.token('default', 'web'),
    service: 'web',
  });
  await until('refused', () => /is not a control plane/.test(web.discovery.status().lastError));
  t.equal(requests, 0, 'the token was not sent');
  await using stranger = await startBackHalf({ dataDir: `${dir}/other` });
  await using lost = startTestSidecar({
    stateDir: `${dir}/other`,
    controlPlanes: [plane.url],
    caFile: stranger.caFile,
    token: 'x',
    service: 'web',
  });
  await until('refused', () => /No certificate from/.test(lost.discovery.status().lastError));
});

t.test('5,000 services in the mesh cost a sidecar that uses three of them nothing', async t => {
  const dir = t.testdir({ data: {}, web: {} });
  await using plane = await startBackHalf({ dataDir: `${dir}/data`, log: pino({ level: 'silent' }) });
  await createServices(plane.store, 5_000, 1);
  const upstreams = ['service-1', 'service-2', 'service-3'];
  await using web = startTestSidecar({
    stateDir: `${dir}/web`,
    controlPlanes: [plane.url],
    caFile: plane.caFile,
    token: await plane.token('default', 'web'),
    service: 'web',
    upstreams,
  });
  await until('subscribed', () => upstreams.every(name => web.discovery.lookup(name) === 'known'), 20_000);
  t.equal(web.discovery.snapshots.value.services.length, 3);
  t.ok(JSON.stringify(web.discovery.snapshots.value).length < 10_000);
});
