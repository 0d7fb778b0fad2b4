import t from 'tap';
import { HTTP_ROUTE, type HttpRoute } from '../../api/http-route.ts';
import { SIDECAR } from '../../api/sidecar.ts';
import { WORKLOAD } from '../../api/workload.ts';
import { startBackHalf } from '../support/back-half.ts';
import { resolve, startTestSidecar, until } from '../support/test-sidecar.ts';

t.test(
  'two sidecars are a mesh without any object: the service comes with its first workload and goes with its last',
  async t => {
    await using plane = await startBackHalf({ dataDir: `${t.testdir({ data: {}, web: {}, pay: {} })}/data` });
    const dir = `${t.testdirName}`;
    await using web = startTestSidecar({
      stateDir: `${dir}/web`,
      controlPlanes: [plane.url],
      caFile: plane.caFile,
      token: await plane.token('default', 'web'),
      service: 'web',
    });
    t.equal(await resolve(web.discovery, 'payments'), 'not-in-mesh');
    const pay = startTestSidecar({
      stateDir: `${dir}/pay`,
      controlPlanes: [plane.url],
      caFile: plane.caFile,
      token: await plane.token('default', 'payments'),
      service: 'payments',
      ports: [{ name: 'http', port: 8080, protocol: 'http' }],
      labels: { version: 'v1' },
      advertise: '10.1.2.3:15006',
    });
    await until('the service is known', () => web.discovery.lookup('payments') === 'known');
    const [service] = web.discovery.snapshots.value.services;
    t.match(service, {
      name: 'payments',
      namespace: 'default',
      ports: [{ port: 8080, name: 'http', protocol: 'http', routes: [] }],
      endpoints: [
        {
          address: '10.1.2.3:15006',
          identity: 'spiffe://mesh.local/ns/default/sa/payments',
          ports: { '8080': 8080 },
          labels: { version: 'v1' },
        },
      ],
    });
    t.equal(await resolve(web.discovery, '10.1.2.3:8080'), 'known', 'an instance is known by its own address');
    const start = performance.now();
    await pay.discovery.drain(10_000);
    t.equal(web.discovery.lookup('payments'), 'not-in-mesh', 'who leaves hears of it when callers know');
    t.ok(performance.now() - start < 900, 'at once');
    await pay[Symbol.asyncDispose]();
    await until('its objects are gone', async () => (await plane.store.list(WORKLOAD)).items.length === 0);
    const sidecars = await plane.store.list(SIDECAR);
    t.equal(sidecars.items.length, 1);
    t.ok(web.discovery.ready);
    t.ok(web.discovery.status().connected);
    const again = performance.now();
    await web.discovery.drain(10_000);
    t.ok(performance.now() - again < 900, 'and so does one that nobody calls');
  },
);

t.test('a route is pushed, its change is a delta, and the status of the route says what was found', async t => {
  const dir = t.testdir({ data: {}, web: {}, pay: {} });
  await using plane = await startBackHalf({ dataDir: `${dir}/data` });
  await using _pay = startTestSidecar({
    stateDir: `${dir}/pay`,
    controlPlanes: [plane.url],
    caFile: plane.caFile,
    token: await plane.token('default', 'payments'),
    service: 'payments',
    ports: [{ name: 'http', port: 80, protocol: 'http' }],
  });
  await until('registered', async () => (await plane.store.list(WORKLOAD)).items.length === 1);
  await using web = startTestSidecar({
    stateDir: `${dir}/web`,
    controlPlanes: [plane.url],
    caFile: plane.caFile,
    token: await plane.token('default', 'web'),
    service: 'web',
    upstreams: ['payments'],
  });
  await until('subscribed', () => web.discovery.lookup('payments') === 'known');
  const before = web.discovery.snapshots.value;
  const route = (weight: number): HttpRoute => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'split', namespace: 'default' },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 'payments' }],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/' } }],
          backendRefs: [
            { group: '', kind: 'Service', name: 'payments', port: 80, weight },
            { group: '', kind: 'Service', name: 'nowhere', port: 80, weight: 100 - weight },
          ],
        },
      ],
    },
  });
  await plane.store.create(HTTP_ROUTE, route(90));
  await until('routed', () => web.discovery.snapshots.value.configVersion !== before.configVersion);
  t.equal(web.discovery.snapshots.value.endpointVersion, before.endpointVersion, 'endpoints kept their version');
  t.match(web.discovery.snapshots.value.services[0]?.ports[0]?.routes, [
    {
      name: 'default/split/0',
      backends: [
        { service: 'payments.default', weight: 90 },
        { service: null, weight: 10 },
      ],
    },
  ]);
  await until('status', async () => (await plane.store.get(HTTP_ROUTE, 'default', 'split'))?.status !== undefined);
  t.match((await plane.store.get(HTTP_ROUTE, 'default', 'split'))?.status?.parents[0]?.conditions, [
    { type: 'Accepted', status: 'True' },
    { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound', message: /nowhere\.default/ },
  ]);
  await until('acked', async () => {
    const { items } = await plane.store.list(SIDECAR, { namespace: 'default' });
    return items.every(({ status }) => status?.state === 'Synced');
  });
});
