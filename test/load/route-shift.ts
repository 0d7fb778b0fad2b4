/**
 * A route that is changed under load: a Service, two versions of a workload and an HTTPRoute 90/10, as `curl` or `outrider apply` write them.
 * `OUTRIDER_SHIFTS`: changes to 0/100 and back, 10 by default.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runToEnd } from '../support/processes.ts';
import { RestClient } from '../support/rest-client.ts';
import { RunningMesh, type Unit } from '../support/running-mesh.ts';
import { failures, SteadyTraffic } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

const SHIFTS = Number(process.env.OUTRIDER_SHIFTS ?? 10);
const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const SERVICES = '/api/v1/namespaces/default/services';
const ROUTES = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes';
/** The shares follow so soon after the answer to the PUT. */
const FOLLOW_MS = 1_000;

t.setTimeout(60_000 + SHIFTS * 20_000);

const mesh = await RunningMesh.start();
const rest = new RestClient(mesh.plane.restUrl, mesh.plane.dataDir);
const folder = mkdtempSync(join(tmpdir(), 'route-shift-'));
t.teardown(async () => {
  await rest[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const versions = await Promise.all(
  ['v1', 'v2'].map(version => mesh.run({ service: 'web', flags: ['--labels', `version=${version}`] })),
);
const [v1, v2] = versions as [Unit, Unit];
const caller = mesh.runCaller('client');
await Promise.all([v1, v2, caller].map(unit => unit.ready()));

const service = (name: string, selector: object, targetPort: number) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector, ports: [{ port: 80, targetPort, appProtocol: 'http' }] },
});
const route = (first: number, second: number) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web' },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
    rules: [
      {
        backendRefs: [
          { name: 'web-v1', port: 80, weight: first },
          { name: 'web-v2', port: 80, weight: second },
        ],
      },
    ],
  },
});
/** As `curl` writes it. */
const create = async (path: string, object: object): Promise<void> => {
  const answer = await rest.call('POST', path, { body: object });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
};
await create(SERVICES, service('web-v1', { version: 'v1' }, v1.port));
await create(SERVICES, service('web-v2', { version: 'v2' }, v2.port));
await create(SERVICES, service('web', { version: 'v1' }, v1.port));
await create(ROUTES, route(90, 10));

/** Replaces the route as `curl -X PUT` does: with the version that was read. */
const put = async (first: number, second: number): Promise<void> => {
  const { metadata } = (await rest.call('GET', `${ROUTES}/web`)).body;
  const answer = await rest.call('PUT', `${ROUTES}/web`, { body: { ...route(first, second), metadata } });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
};

const apply = async (first: number, second: number): Promise<void> => {
  const file = join(folder, 'route.json');
  writeFileSync(file, JSON.stringify(route(first, second)));
  const env = { OUTRIDER_SERVER: mesh.plane.restUrl, OUTRIDER_DATA_DIR: mesh.plane.dataDir, NODE_OPTIONS: undefined };
  const { code, stderr } = await runToEnd(process.execPath, [PROGRAM, 'apply', '-f', file], { env });
  if (code !== 0) throw new Error(stderr);
};

/** How many each version serves during `ms`. */
const served = async (ms: number): Promise<readonly [number, number]> => {
  await Promise.all([v1.served(), v2.served()]);
  await pause(ms);
  return Promise.all([v1.served(), v2.served()]);
};

t.test('traffic follows the weights, and a change within a second, without a failed request', async t => {
  const traffic = new SteadyTraffic({ proxy: await caller.outbound(), host: 'web' });
  t.teardown(() => traffic.stop());
  await waitFor('the route to be followed', async () => (await v2.served()) > 0);
  const slowest = { ms: 0 };
  for (let i = 0; i < SHIFTS; i++) {
    const change = i % 3 === 2 ? apply : put;
    const [before1, before2] = await served(2_000);
    const share = before1 / (before1 + before2);
    t.ok(share > 0.84 && share < 0.96, `v1 has ${before1} of ${before1 + before2}`);
    await change(0, 100);
    const atMs = performance.now();
    await waitFor('v1 to get nothing', async () => {
      const now = performance.now() - atMs;
      const [left] = await served(40);
      if (left > 0) slowest.ms = Math.max(slowest.ms, now);
      return left === 0;
    });
    await pause(Math.max(0, FOLLOW_MS - (performance.now() - atMs)));
    const [after1, after2] = await served(1_000);
    t.equal(after1, 0, 'v1 gets nothing a second after the answer');
    t.ok(after2 > 100, `v2 has ${after2}`);
    await change(90, 10);
    await pause(FOLLOW_MS);
  }
  const outcomes = await traffic.stop();
  t.same(failures(outcomes), [], 'no request failed');
  t.comment(
    `${outcomes.length} requests, ${SHIFTS} shifts; v1 was last seen ${Math.round(slowest.ms)} ms after an answer`,
  );
});
