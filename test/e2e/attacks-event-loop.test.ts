/**
 * Work that holds the event loop of a sidecar for seconds. Heads and bodies alone cannot: what does it best are long paths that are matched against
 * expensive regular expressions of the configuration, many at a time.
 */
import t, { type Test } from 'tap';
import { request } from 'undici';
import { compilePattern } from '../../api/pattern.ts';
import type { RouteView, Snapshot } from '../../api/snapshot.ts';
import { LONG_TURN_MS, threadCpuMs } from '../../sidecar/resilience/event-loop-watch.ts';
import { total } from '../support/prometheus-text.ts';
import { RawConnection } from '../support/raw-http1.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Stage, startStage } from './attacks/stage.ts';

t.setTimeout(120_000);

/** Three long turns are enough. */
const MAX_ROUNDS = 10;
/** What one turn should cost, in CPU time. */
const TURN_MS = 1.6 * LONG_TURN_MS;
const PATH = `/${'a'.repeat(8_000)}`;
const EXPENSIVE = ['/(.*a){30}b', '/(.*a){30}c'];

/** So many requests at the same time make such a turn on this machine. */
const countRequests = (): number => {
  const patterns = EXPENSIVE.map(compilePattern);
  let costMs = 0;
  for (let run = 0; run < 3; run++) {
    const before = threadCpuMs();
    for (const pattern of patterns) if (typeof pattern !== 'string') pattern.matches(PATH);
    costMs = threadCpuMs() - before;
  }
  return Math.ceil(TURN_MS / costMs);
};
const route = (view: Partial<RouteView>): RouteView => ({
  name: 'default/app/0',
  matches: [],
  filters: [],
  backends: [{ service: 'app.default', port: 80, weight: 1, filters: [] }],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
  ...view,
});
/** Some 50 ms for each path that was not seen before. */
const ROUTES = [
  route({ matches: EXPENSIVE.map(value => ({ path: { type: 'RegularExpression', value } })) }),
  route({}),
];
const expensive = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  services: snapshot.services.map(service => ({
    ...service,
    ports: service.ports.map(port => ({ ...port, routes: ROUTES })),
  })),
});
const OVERLOADED = /^HTTP\/1\.1 503 [\s\S]*x-outrider-flag: OM\r\n[\s\S]*x-outrider-detail: event_loop_held\r\n/;

/** Every connection asks at the same time, again and again, until an answer says that the sidecar is overloaded. */
const attack = async (port: number): Promise<void> => {
  await using connections = new AsyncDisposableStack();
  const all = Array.from({ length: countRequests() }, () => connections.use(new RawConnection(port)));
  let overloaded = false;
  for (let round = 0; !overloaded && round < MAX_ROUNDS; round++) {
    for (const [i, connection] of all.entries()) {
      connection.received = '';
      connection.write(`GET ${PATH}${round}-${i} HTTP/1.1\r\nHost: app\r\n\r\n`);
    }
    const answers = await Promise.all(all.map(each => each.until(text => text.includes('\r\n\r\n'), 20_000)));
    overloaded = answers.some(answer => OVERLOADED.test(answer));
  }
};

const ask = async ({ pair }: Stage): Promise<string> => {
  const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'app' } });
  await answer.body.dump();
  return `${answer.statusCode} ${String(answer.headers['x-outrider-detail'] ?? '')}`;
};

/** Stops the process three times for longer than a long turn, each time with a request on its way. */
const starve = async (t: Test, stage: Stage): Promise<void> => {
  const { process } = stage.pair.a;
  for (let i = 0; i < 3; i++) {
    t.equal(await ask(stage), '200 ');
    process.signal('SIGSTOP');
    const asked = ask(stage);
    await new Promise(resolve => setTimeout(resolve, 600));
    process.signal('SIGCONT');
    t.equal(await asked, '200 ');
  }
};

t.test('event loop held (huge JSON, many headers)', async t => {
  const stage = await startStage({}, expensive);
  const { a, outbound } = stage.pair;
  const episodes = async (): Promise<number> =>
    total(await a.samples(), 'outrider_overload_episodes_total', { resource: 'event_loop' });

  await t.test('a machine that gives the sidecar no time does not make it refuse work', async t => {
    await starve(t, stage);
    t.equal(await episodes(), 0);
  });

  await using running = new RawConnection(outbound);
  running.write('POST /running HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\nhello');
  await waitFor('the app to have its beginning', () => stage.app.received.includes('hello'));
  await attack(outbound);

  t.equal(await ask(stage), '503 event_loop_held', 'new work is shed, whoever sends it');
  t.equal(total(await a.samples(), 'outrider_overloaded', { resource: 'event_loop' }), 1);
  t.equal(await episodes(), 1);
  const ready = await request(`http://127.0.0.1:${a.ports.metrics}/healthz/ready`);
  await ready.body.dump();
  t.equal(ready.statusCode, 200, 'the sidecar is as ready as before');
  running.write('world');
  t.match(await running.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 200 /, 'what runs goes on');

  await waitFor('new work to be taken again', async () => (await ask(stage)) === '200 ');
  const samples = await a.samples();
  t.equal(total(samples, 'outrider_overloaded'), 0);
  const shed = { response_flags: 'OM', destination_service: 'app' };
  t.ok(total(samples, 'outrider_requests_total', shed) > 0, 'what was shed is counted for its destination');
  const lines = a.process.stdout.match(/"New work is refused: the sidecar is overloaded\."/g);
  t.equal(lines?.length, 1, 'and the log has one line');
});
