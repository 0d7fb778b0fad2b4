/** Whoever starts first: the app, its sidecar, the control plane, or the app once more after a crash. No request is lost where both ends are up. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { request } from 'undici';
import { RunningMesh } from '../support/running-mesh.ts';
import { failures, SteadyTraffic } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(180_000);

t.test('the control plane starts last: what the app sends meanwhile waits for it', async t => {
  await using mesh = await RunningMesh.start();
  // Tokens come from an earlier day; then there is no control plane.
  const [app, client] = [await mesh.credentials('app'), await mesh.credentials('client')];
  await mesh.plane.kill();
  const [unit, caller] = [await mesh.run({ service: 'app', env: app }), mesh.runCaller('client', [], client)];
  const proxy = await caller.outbound();
  await waitFor('the app', async () => (await unit.served()) === 0);
  t.notOk(await unit.isReady());
  const early = Array.from({ length: 20 }, (_, i) =>
    request(proxy, { method: i % 2 ? 'POST' : 'GET', headers: { host: 'app' }, body: i % 2 ? 'hello' : null }),
  );
  await pause(3_000);
  await mesh.plane.start();
  const start = performance.now();
  const answers = await Promise.all(early.map(async answer => (await answer).statusCode));
  t.comment(`answered ${Math.round(performance.now() - start)} ms after the control plane was ready`);
  t.same(new Set(answers), new Set([200]), 'all of them, POST too');
  t.equal(await unit.served(), 20, 'each once');
});

t.test('the app starts 5 s after its sidecar, beside one that is up', async t => {
  await using mesh = await RunningMesh.start();
  const first = await mesh.run({ service: 'app' });
  const caller = mesh.runCaller('client');
  await Promise.all([first, caller].map(unit => unit.ready()));
  await using steady = new SteadyTraffic({ proxy: await caller.outbound(), host: 'app' });
  const late = await mesh.run({ service: 'app', env: { LISTEN_AFTER: '5000' } });
  await pause(4_000);
  t.notOk(await late.isReady(), 'the sidecar waits');
  await late.ready();
  const readyAtMs = performance.now();
  await waitFor('its first request', async () => (await late.served()) > 0, 2_000);
  t.comment(`its first request ${Math.round(performance.now() - readyAtMs)} ms after it listened`);
  t.same(failures(await steady.stop()), []);
});

t.test('a sidecar of its own, without run: the app is there before it, crashes, and comes back', async t => {
  await using mesh = await RunningMesh.start();
  const caller = mesh.runCaller('client');
  const stays = await mesh.run({ service: 'app' });
  await mesh.create('trafficpolicies', {
    apiVersion: 'outrider.mesh/v1',
    kind: 'TrafficPolicy',
    metadata: { name: 'app' },
    spec: { healthCheck: { tcp: {}, interval: '200ms', timeout: '200ms', unhealthyThreshold: 1 } },
  });
  await Promise.all([stays, caller].map(unit => unit.ready()));
  const { app, startApp } = await mesh.runApart('app');
  await using steady = new SteadyTraffic({ proxy: await caller.outbound(), host: 'app' });
  await waitFor('its first request', async () => (await app.served()) > 0);
  await app.crash();
  await pause(3_000);
  startApp();
  await waitFor('it to listen', async () => (await app.served()) >= 0);
  const upAtMs = performance.now();
  await waitFor('a request', async () => (await app.served()) > 0, 5_000);
  t.comment(`its first request ${Math.round(performance.now() - upAtMs)} ms after it was back`);
  const failed = failures(await steady.stop());
  t.same(
    failed.filter(({ method }) => method === 'GET'),
    [],
  );
  t.ok(failed.length <= 3, `${failed.length} POSTs were in flight`);
  for (const each of failed) t.match(each, { status: 503, flag: /^U[CR]$/, detail: /^[a-z_]+$/ });
});

t.test('an app under run that crashes takes its sidecar along, and comes back as a new one', async t => {
  await using mesh = await RunningMesh.start();
  const caller = mesh.runCaller('client');
  const [stays, crashes] = await Promise.all([mesh.run({ service: 'app' }), mesh.run({ service: 'app' })]);
  await Promise.all([stays, crashes, caller].map(unit => unit.ready()));
  await using steady = new SteadyTraffic({ proxy: await caller.outbound(), host: 'app' });
  await waitFor('traffic', async () => (await crashes.served()) > 0);
  // Retries are paid from a budget, which is a fifth of what came before.
  await pause(5_000);
  await crashes.crash();
  t.match(await crashes.process.exited, { code: 3 }, "the app's own exit code");
  const back = await mesh.run({ service: 'app' });
  await back.ready();
  await waitFor('its first request', async () => (await back.served()) > 0, 2_000);
  const failed = failures(await steady.stop());
  t.same(
    failed.filter(({ method }) => method === 'GET'),
    [],
  );
  t.ok(failed.length <= 3, `${failed.length} POSTs were in flight`);
  for (const each of failed) t.match(each, { status: 503, flag: /^U[CR]$/, detail: /^[a-z_]+$/ });
});
