/** An app that says it cannot serve, while others call it: real processes, with a real control plane. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { RestClient } from '../support/rest-client.ts';
import { RunningMesh } from '../support/running-mesh.ts';
import { failures, SteadyTraffic } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(60_000);

const mesh = await RunningMesh.start();
const rest = new RestClient(mesh.plane.restUrl, mesh.plane.dataDir);
t.teardown(async () => {
  await rest[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
});
const WORKLOADS = '/apis/outrider.mesh/v1/namespaces/default/workloads';
const POLICIES = '/apis/outrider.mesh/v1/namespaces/default/trafficpolicies';

const policy = {
  apiVersion: 'outrider.mesh/v1',
  kind: 'TrafficPolicy',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    targetRefs: [{ name: 'web' }],
    healthCheck: { http: { path: '/healthz' }, interval: '200ms', unhealthyThreshold: 2 },
  },
};

const [one, two, caller] = [
  await mesh.run({ service: 'web' }),
  await mesh.run({ service: 'web' }),
  mesh.runCaller('me'),
];
await Promise.all([one.ready(), two.ready(), caller.ready()]);
const proxy = await caller.outbound();

/** The health of each instance, as the registry has it. */
const healthOf = async (): Promise<string[]> => {
  const { body } = await rest.call('GET', WORKLOADS);
  return body.items!.map(({ status }) => String(status!.health)).sort();
};

t.test('a check that is declared while an app serves takes no traffic from it', async t => {
  await using traffic = new SteadyTraffic({ proxy, host: 'web' });
  await mesh.create('trafficpolicies', policy);
  await waitFor('both to be checked', async () =>
    (await Promise.all([one, two].map(unit => unit.admin('/clusters')))).every(text =>
      text.includes('GET /healthz: status 200'),
    ),
  );
  t.same(failures(await traffic.stop()), []);
  t.same(await healthOf(), ['Healthy', 'Healthy']);
});

t.test(
  'an app that fails its check gets no traffic, none of its callers fails, and it is back within two seconds of passing',
  async t => {
    await using traffic = new SteadyTraffic({ proxy, host: 'web' });
    await pause(300);
    t.ok((await one.served()) > 0, 'it has traffic');
    await one.health(503);
    await waitFor('the registry to know it', async () => (await healthOf()).includes('Unhealthy'));
    await pause(200);
    await one.served();
    await pause(500);
    t.equal(await one.served(), 0, 'no more traffic');
    t.notOk(await one.isReady());
    const { body } = await rest.call('GET', WORKLOADS);
    const sick = body.items!.find(({ status }) => String(status!.health) === 'Unhealthy');
    t.match(sick?.status?.conditions?.[0], {
      type: 'Healthy',
      status: 'False',
      reason: 'CannotServe',
      message: /The app fails its health check on port \d+ \(GET \/healthz\): status 503\./,
    });
    const { body: table } = await rest.call('GET', WORKLOADS, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    t.match(JSON.stringify(table), 'status 503', 'and in the table, for `outrider get workloads -o wide`');
    t.match(await one.admin('/clusters'), /app +127\.0\.0\.\d+:\d+ +- +failing .* GET \/healthz: status 503\n/);
    const samples = await one.samples();
    const state = samples.find(({ name }) => name === 'outrider_health_check_state');
    t.match(state?.labels, { check: 'GET /healthz', state: 'failing' });

    const passedAtMs = performance.now();
    await one.health(200);
    await waitFor('traffic to be back', async () => (await one.served()) > 0);
    const backAfterMs = performance.now() - passedAtMs;
    t.ok(backAfterMs < 2_000, `${Math.round(backAfterMs)} ms`);
    t.same(failures(await traffic.stop()), [], 'nobody noticed');
    t.match(
      one.process.stderr,
      /The app fails its health check\..*"cause":"status 503"|"cause":"status 503".*The app fails its health check\./,
    );
  },
);

t.test('an instance whose app does not pass at its start gets traffic with its first success', async t => {
  const late = await mesh.run({ service: 'web', env: { HEALTH: '500' } });
  await waitFor('it to be checked', async () => (await late.admin('/clusters')).includes('status 500'));
  await using traffic = new SteadyTraffic({ proxy, host: 'web' });
  await pause(500);
  t.equal(await late.served(), 0);
  t.notOk(await late.isReady());
  await late.health(204);
  await waitFor('traffic', async () => (await late.served()) > 0);
  t.same(failures(await traffic.stop()), []);
});

t.test('without the policy nothing is checked, and the app counts as healthy again', async t => {
  await two.health(503);
  await waitFor('the registry to know it', async () => (await healthOf()).includes('Unhealthy'));
  await rest.call('DELETE', `${POLICIES}/web`);
  await waitFor('it to be healthy', async () => !(await healthOf()).includes('Unhealthy'));
  t.ok(await two.isReady());
  t.notMatch(await two.admin('/clusters'), 'healthz');
});
