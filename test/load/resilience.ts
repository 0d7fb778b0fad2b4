/**
 * What real deployments do to a service, and what its callers notice: a control plane, three instances and a caller by `outrider run`, 200 GET and
 * 20 POST a second. `OUTRIDER_RESTARTS`: rolling restarts of all three, 10 by default.
 */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { RunningMesh, type Unit } from '../support/running-mesh.ts';
import { failures, type Outcome, SteadyTraffic, trafficFor } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

const RESTARTS = Number(process.env.OUTRIDER_RESTARTS ?? 10);

t.setTimeout(120_000 + RESTARTS * 60_000);

const mesh = await RunningMesh.start();
t.teardown(() => mesh[Symbol.asyncDispose]());
const startInstance = () => mesh.run({ service: 'app' });
const instances = await Promise.all([startInstance(), startInstance(), startInstance()]);
const caller = mesh.runCaller('client');
await Promise.all([caller, ...instances].map(unit => unit.ready()));
const traffic = { proxy: await caller.outbound(), host: 'app' };

/** Two requests take the names and addresses to the caller's sidecar. */
await trafficFor(traffic, 500);

/** Who serves how much, from now on for `ms` of traffic. */
const shares = async (
  units: readonly Unit[],
  ms: number,
): Promise<{ outcomes: readonly Outcome[]; served: number[] }> => {
  await Promise.all(units.map(unit => unit.served()));
  const outcomes = await trafficFor(traffic, ms);
  return { outcomes, served: await Promise.all(units.map(unit => unit.served())) };
};

interface Row {
  readonly endpoint: string;
  readonly state: string;
}
const rows = async (): Promise<Row[]> =>
  (JSON.parse(await caller.admin('/clusters?format=json')) as (Row & { cluster: string })[]).filter(({ cluster }) =>
    cluster.startsWith('app.default:'),
  );
const notHealthy = async (): Promise<Row[]> => (await rows()).filter(({ state }) => state !== 'healthy');
const retries = async (): Promise<number> =>
  (await caller.samples())
    .filter(({ name }) => name === 'outrider_retries_total')
    .reduce((sum, { value }) => sum + value, 0);
const logged = (message: string): string[] => caller.process.stderr.split('\n').filter(line => line.includes(message));

t.test('traffic is spread over all instances', async t => {
  const { outcomes, served } = await shares(instances, 2_000);
  t.same(failures(outcomes), []);
  for (const count of served) t.ok(count > outcomes.length / 50, `${count} of ${outcomes.length}`);
});

t.test('an instance that answers 503 is ejected, probed and taken back, all visible', async t => {
  const sick = instances[0] as Unit;
  await sick.behave(503);
  const failed = failures(await trafficFor(traffic, 1_000));
  t.ok(failed.length > 0 && failed.length <= 10, `${failed.length} of its answers were seen`);
  t.same(
    failed.filter(({ status, flag }) => status !== 503 || flag !== ''),
    [],
    'they are the app’s own',
  );
  const [row] = await notHealthy();
  t.match(row, { state: 'ejected' });
  const metric = (await caller.samples()).find(
    ({ name, labels }) => name === 'outrider_endpoint_state' && labels.endpoint === row?.endpoint,
  );
  t.equal(metric?.labels.state, 'ejected');
  t.match(logged('An endpoint was ejected.')[0], /"cause":"status 503","consecutive_failures":5/);
  await sick.behave(200);
  await using steady = new SteadyTraffic(traffic);
  const ejectedAtMs = performance.now();
  await waitFor('it to be taken back', async () => (await notHealthy()).length === 0, 20_000);
  t.comment(`back after ${Math.round(performance.now() - ejectedAtMs)} ms`);
  t.same(failures(await steady.stop()), []);
  t.ok(logged('An endpoint is probed.').length > 0);
  t.match(logged('An endpoint is back.').at(-1), /"cause":"the probe succeeded"/);
  const { served } = await shares([sick], 2_000);
  t.ok(served[0], `and gets traffic: ${served[0]}`);
});

t.test('an instance that gets slow gets less traffic within two seconds', async t => {
  const lame = instances[1] as Unit;
  await lame.behave(200, 200);
  t.same(failures(await trafficFor(traffic, 2_000)), []);
  const { outcomes, served } = await shares(instances, 2_000);
  t.same(failures(outcomes), []);
  t.ok(Number(served[1]) < outcomes.length / 10, `${served[1]} of ${outcomes.length}`);
  await lame.behave(200);
});

t.test('a new instance gets traffic within two seconds of its readiness', async t => {
  const added = await startInstance();
  await using steady = new SteadyTraffic(traffic);
  await added.ready();
  await added.served();
  const readyAtMs = performance.now();
  await waitFor('its first request', async () => (await added.served()) > 0, 2_000);
  t.comment(`after ${Math.round(performance.now() - readyAtMs)} ms`);
  added.process.signal('SIGTERM');
  await added.process.exited;
  t.same(failures(await steady.stop()), [], 'neither its coming nor its going is noticed');
});

t.test(
  'kill -9 of an instance and its sidecar: no GET fails, and a POST only where it was in flight, saying why',
  async t => {
    const victim = instances[2] as Unit;
    // Slow enough that some requests are under way there.
    await Promise.all(instances.map(unit => unit.behave(200, 100)));
    const outcomes = await trafficFor(traffic, 14_000, () => victim.kill());
    await Promise.all(instances.slice(0, 2).map(unit => unit.behave(200)));
    const failed = failures(outcomes);
    t.same(
      failed.filter(({ method }) => method === 'GET'),
      [],
    );
    t.ok(failed.length <= 5, `${failed.length} POSTs were in flight`);
    for (const each of failed) t.match(each, { status: 503, flag: /^U[CR]$/, detail: /^[a-z_]+$/ });
    const slowest = Math.max(...outcomes.map(({ ms }) => ms));
    t.comment(`slowest answer ${Math.round(slowest)} ms`);
    t.equal((await rows()).length, 2, 'the registry forgets it');
    instances[2] = await startInstance();
    await instances[2].ready();
  },
);

t.test('a sidecar that hangs, as a host does that vanished: found out within 15 s', async t => {
  const victim = instances[2] as Unit;
  const outcomes = await trafficFor(traffic, 24_000, () => victim.process.signal('SIGSTOP'));
  victim.process.signal('SIGCONT');
  const failed = failures(outcomes);
  t.same(
    failed.filter(({ method }) => method === 'GET'),
    [],
  );
  t.ok(failed.length <= 5, `${failed.length} POSTs were in flight`);
  for (const each of failed) t.match(each, { status: 503, flag: 'UC', detail: 'connection_lost' });
  const late = outcomes.filter(({ ms }) => ms > 1_000);
  t.comment(`${late.length} of ${outcomes.length} answers took more than a second`);
  t.comment(`slowest answer ${Math.round(Math.max(...outcomes.map(({ ms }) => ms)))} ms`);
  t.ok(late.length < outcomes.length / 50, 'few were sent there');
  t.ok(
    outcomes.every(({ ms }) => ms < 16_000),
    'and none waited for longer',
  );
  await using steady = new SteadyTraffic(traffic);
  await waitFor('it to be back', async () => (await rows()).length === 3 && (await notHealthy()).length === 0, 60_000);
  t.same(failures(await steady.stop()), []);
});

t.test(`a rolling restart of all three with SIGTERM, ${RESTARTS} times: no request of any kind fails`, async t => {
  const retriesBefore = await retries();
  for (let round = 1; round <= RESTARTS; round++) {
    await using steady = new SteadyTraffic(traffic);
    const start = performance.now();
    for (let i = 0; i < instances.length; i++) {
      const leaving = instances[i] as Unit;
      leaving.process.signal('SIGTERM');
      const exit = await leaving.process.exited;
      t.match(exit, { code: 143 }, 'the app ended by the signal');
      const next = await startInstance();
      instances[i] = next;
      await next.ready();
    }
    await pause(500);
    const outcomes = await steady.stop();
    const failed = failures(outcomes);
    const slowest = Math.max(...outcomes.map(({ ms }) => ms));
    t.same(failed, [], `round ${round}: ${outcomes.length} requests in ${Math.round(performance.now() - start)} ms`);
    t.comment(`slowest answer ${Math.round(slowest)} ms`);
    if (failed.length > 0) t.comment(caller.process.stderr.slice(-4_000));
  }
  t.same(await notHealthy(), []);
  t.comment(`${(await retries()) - retriesBefore} retries in ${RESTARTS} rounds`);
});
