/** More than a service can take, and a service that fails altogether: a control plane, the service and its caller by `outrider run`. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Pool } from 'undici';
import { RunningMesh } from '../support/running-mesh.ts';
import { failures, SteadyTraffic } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

const LIMIT = 50;
const ANSWER_MS = 200;
const OVERLOAD_MS = 8_000;

t.setTimeout(120_000);

const mesh = await RunningMesh.start();
t.teardown(() => mesh[Symbol.asyncDispose]());
const [app, broken] = await Promise.all([mesh.run({ service: 'app' }), mesh.run({ service: 'broken' })]);
const caller = mesh.runCaller('client', ['--access-log', 'off']);
await Promise.all([app, broken, caller].map(unit => unit.ready()));
const proxy = await caller.outbound();

const policy = (name: string, spec: object) =>
  mesh.create('trafficpolicies', {
    apiVersion: 'outrider.mesh/v1',
    kind: 'TrafficPolicy',
    metadata: { name },
    spec: { targetRefs: [{ group: '', kind: 'Service', name }], ...spec },
  });

t.test('ten times the limit in flight: what is beyond is refused at once, the rest gets all there is', async t => {
  await app.behave(200, ANSWER_MS);
  await policy('app', { circuitBreaker: { maxRequests: LIMIT } });
  const pool = new Pool(proxy, { connections: 10 * LIMIT });
  t.teardown(() => pool.close());
  interface Answer {
    readonly status: number;
    readonly flag: string;
    readonly detail: string;
    readonly ms: number;
  }
  const call = async (): Promise<Answer> => {
    const start = performance.now();
    const answer = await pool.request({ method: 'GET', path: '/', headers: { host: 'app' } });
    await answer.body.dump();
    const { 'x-outrider-flag': flag = '', 'x-outrider-detail': detail = '' } = answer.headers;
    const ms = performance.now() - start;
    return { status: answer.statusCode, flag: String(flag), detail: String(detail), ms };
  };
  await waitFor('the limit to reach the caller', async () => {
    const answers = await Promise.all(Array.from({ length: 2 * LIMIT }, call));
    return answers.some(({ flag }) => flag === 'UO');
  });

  // Ten times as many callers as may be in flight; each comes back after as long as an answer takes.
  const run = async (callers: number, ms: number): Promise<Answer[]> => {
    const answers: Answer[] = [];
    const end = performance.now() + ms;
    const one = async (): Promise<void> => {
      await pause(ANSWER_MS * Math.random());
      while (performance.now() < end) {
        const answer = await call();
        answers.push(answer);
        if (answer.status !== 200) await pause(ANSWER_MS);
      }
    };
    await Promise.all(Array.from({ length: callers }, one));
    return answers;
  };
  await run(10 * LIMIT, 2_000); // buffers and compiled code as under load
  const before = caller.process.residentBytes();
  const answers = await run(10 * LIMIT, OVERLOAD_MS);
  const grownMb = (caller.process.residentBytes() - before) / 1e6;
  const good = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status !== 200);
  // Little's law: requests per second times seconds for each is what was in flight.
  const inFlight = good.reduce((sum, { ms }) => sum + ms, 0) / OVERLOAD_MS;
  const histogram = (await caller.samples()).filter(
    ({ name, labels }) => name.startsWith('outrider_request_duration_seconds') && labels.response_flags === 'UO',
  );
  const all = histogram.find(({ name }) => name.endsWith('_count'))?.value ?? 0;
  const quick = histogram.find(({ labels }) => labels.le === '0.005')?.value ?? 0;
  t.comment(
    `${Math.round(good.length / (OVERLOAD_MS / 1_000))} good answers/s, ${inFlight.toFixed(1)} of ${LIMIT} in flight`,
  );
  t.comment(`${refused.length} refused, ${((100 * quick) / all).toFixed(2)} % of them by the sidecar within 5 ms`);
  t.comment(`the caller's sidecar: ${Math.round(before / 1e6)} MB, ${grownMb.toFixed(1)} MB more after it`);
  t.same(
    refused.filter(({ status, flag, detail }) => status !== 503 || flag !== 'UO' || detail !== 'max_requests'),
    [],
  );
  t.ok(inFlight > 0.9 * LIMIT && inFlight < 1.5 * LIMIT, 'what is allowed is used');
  t.ok(quick > 0.99 * all, 'refused at once');
  t.ok(grownMb < 16, 'memory is flat');
  const line = caller.process.stderr.split('\n').find(each => each.includes('A circuit breaker refuses.'));
  t.match(line, /"limit":"requests","max":50/, 'and the log says so');

  const after = await run(LIMIT / 2, 1_000);
  t.ok(after.length > 0);
  t.same(
    after.filter(({ status }) => status !== 200),
    [],
    'recovered at once',
  );
});

t.test('a service all of whose answers fail gets at most 1.2 times what is offered', async t => {
  await broken.behave(503);
  await policy('broken', {
    retry: { attempts: 5, codes: [503], backoff: '1ms' },
    outlierDetection: { enabled: false },
  });
  const traffic = { proxy, host: 'broken', getsPerSecond: 150, postsPerSecond: 10 };
  const retried = async (): Promise<number> => {
    const samples = (await caller.samples()).filter(
      ({ name, labels }) => name === 'outrider_retries_total' && labels.destination_service === 'broken',
    );
    return samples.reduce((sum, { value }) => sum + value, 0);
  };
  await using steady = new SteadyTraffic(traffic);
  await waitFor('the first retry', async () => (await retried()) > 0);
  await pause(12_000);
  const outcomes = await steady.stop();
  const served = await broken.served();
  t.equal(failures(outcomes).length, outcomes.length);
  t.comment(`${served} attempts for ${outcomes.length} requests: ${(served / outcomes.length).toFixed(3)}`);
  t.ok(served <= 1.2 * outcomes.length, 'no storm');
  t.ok(served > 1.1 * outcomes.length, 'the budget is used');
});
