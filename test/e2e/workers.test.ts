/** Two workers in each sidecar: what is counted and limited is the sidecar's, whichever of them a connection met. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { Client, Pool, request } from 'undici';
import { DEFAULT_POLICY, type EndpointView } from '../../api/snapshot.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { Sidecar } from '../support/sidecar-process.ts';
import { waitFor } from '../support/wait-for.ts';

const CONNECTIONS = 24;
const app = await startHttpApp();
const good = await startHttpApp();
let failed = 0;
const bad = createServer((_request, response) => {
  failed++;
  response.writeHead(503).end();
}).listen(0, '127.0.0.1');
await once(bad, 'listening');
const service = (name: string) => ({ name, port: 80, protocol: 'http', appPort: app.port }) as const;
const instance = (port: number): EndpointView => ({
  address: `127.0.0.1:${port}`,
  identity: null,
  ports: { 80: port },
  weight: 1,
  workload: '',
  labels: {},
  locality: '',
});
const noRetries = { retryBudget: { ratio: 0, minRetries: 0, windowMs: 10_000 } };
const env = { OUTRIDER_WORKERS: '2', OUTRIDER_DRAIN: '5s' };
const pair = await startSidecarPair({
  services: [service('web'), service('limited'), service('mixed')],
  policy: noRetries,
  env: { a: env, b: env },
  editSnapshot: snapshot => ({
    ...snapshot,
    services: snapshot.services.map(each => {
      const circuitBreaker = { ...DEFAULT_POLICY.circuitBreaker, maxRequests: 5 };
      const policy = { ...DEFAULT_POLICY, ...noRetries, ...(each.name === 'limited' ? { circuitBreaker } : {}) };
      const ports = each.ports.map(port => ({ ...port, policy }));
      return each.name === 'mixed'
        ? { ...each, ports, endpoints: [instance(good.port), instance((bad.address() as AddressInfo).port)] }
        : { ...each, ports };
    }),
  }),
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  bad.closeAllConnections();
  bad.close();
  await Promise.all([app, good].map(each => each[Symbol.asyncDispose]()));
});
const url = `http://127.0.0.1:${pair.outbound}`;

/** So many clients, each with a connection of its own. */
const clients = (count: number): readonly Client[] & Disposable => {
  const all = Array.from({ length: count }, () => new Client(url));
  return Object.assign(all, { [Symbol.dispose]: () => all.forEach(client => void client.destroy()) });
};

t.test('every request is counted once, and both workers of both sidecars carry some', async t => {
  const each = 25;
  using callers = clients(CONNECTIONS);
  await Promise.all(
    callers.map(async caller => {
      for (let i = 0; i < each; i++) {
        const answer = await caller.request({ method: 'GET', path: '/', headers: { host: 'web' } });
        await answer.body.dump();
        if (answer.statusCode !== 200) throw new Error(String(answer.statusCode));
      }
    }),
  );
  const countOf = async (sidecar: typeof pair.a, reporter: string) =>
    total(await sidecar.samples(), 'outrider_requests_total', { reporter, destination_service: 'web' });
  await waitFor('the last one', async () => (await countOf(pair.b, 'destination')) >= each * CONNECTIONS);
  t.equal(await countOf(pair.a, 'source'), each * CONNECTIONS);
  t.equal(await countOf(pair.b, 'destination'), each * CONNECTIONS);
  const samples = await pair.a.samples();
  t.equal(total(samples, 'outrider_request_duration_seconds_count'), each * CONNECTIONS);
  t.equal(total(samples, 'outrider_open_connections', { kind: 'from_app' }), CONNECTIONS);
  t.equal(total(samples, 'outrider_active_requests'), 0);
  t.equal(samples.filter(({ name }) => name === 'outrider_event_loop_busy_seconds_total').length, 2);
  t.match(JSON.parse(await pair.a.admin('/server_info?format=json')), { workers: 2, state: 'ready' });
  const rows = JSON.parse(await pair.a.admin('/clusters?format=json')) as { cluster: string; connections: number }[];
  t.equal(rows.filter(({ cluster }) => cluster === 'web.default:80').length, 1, 'one row for what all workers know');
  await waitFor('a link from each worker to another one', async () => {
    const links = total(await pair.b.samples(), 'outrider_open_connections', { kind: 'from_peers' });
    return links >= 2;
  });
});

t.test('a limit of five requests is five in all, not five for each worker', async t => {
  using callers = clients(CONNECTIONS);
  const answers = callers.map(caller =>
    caller.request({ method: 'GET', path: '/hang', headers: { host: 'limited' } }).then(
      async answer => {
        await answer.body.dump();
        return answer.statusCode;
      },
      () => 0,
    ),
  );
  await waitFor('the app to have five', () => app.active === 5);
  let refused = 0;
  for (const answer of answers) void answer.then(status => (refused += status === 503 ? 1 : 0));
  await waitFor('the others to be refused', () => refused === CONNECTIONS - 5);
  t.equal(app.active, 5);
  const open = { destination_service: 'limited', limit: 'requests' };
  t.equal(total(await pair.a.samples(), 'outrider_circuit_breaker_state', open), 1);
  for (const caller of callers) void caller.destroy();
  await waitFor('room', async () => total(await pair.a.samples(), 'outrider_circuit_breaker_state', open) === 0);
});

t.test('an instance that fails is ejected by what all workers have seen, and for all of them', async t => {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const call = async () => {
    const answer = await pool.request({ method: 'GET', path: '/', headers: { host: 'mixed' } });
    await answer.body.dump();
    return answer.statusCode;
  };
  const statuses = await Promise.all(Array.from({ length: 200 }, call));
  t.ok(statuses.includes(503));
  const isEjected = async () =>
    total(await pair.a.samples(), 'outrider_endpoint_state', { destination_service: 'mixed', state: 'ejected' }) === 1;
  await waitFor('the ejection', isEjected);
  const lines = pair.a.process.stdout.split('\n').filter(line => line.includes('An endpoint was ejected.'));
  t.equal(lines.length, 1, 'it is ejected once');
  const before = failed;
  t.same(new Set(await Promise.all(Array.from({ length: 200 }, call))), new Set([200]));
  t.equal(failed, before, 'no worker sends anything there');
  await pool.close();
});

t.test('a new level of the log holds for all workers', async () => {
  const level = async (name: string) => {
    const answer = await request(`http://127.0.0.1:${pair.b.ports.admin}/logging?level=${name}`, { method: 'POST' });
    await answer.body.dump();
    // Every worker answers this, and has heard of the level before.
    await pair.b.admin('/clusters');
  };
  const refusals = () => pair.b.process.stdout.split('A connection to the inbound port was refused.').length - 1;
  const knock = async (): Promise<void> => {
    const socket = connect(pair.inbound, '127.0.0.1').on('error', () => {});
    socket.end('no TLS at all\n\n');
    await once(socket, 'close');
  };
  await Promise.all(Array.from({ length: 12 }, knock));
  await waitFor('twelve lines', () => refusals() === 12);
  await level('error');
  await Promise.all(Array.from({ length: 12 }, knock));
  await level('info');
  await knock();
  await waitFor('one more line', () => refusals() === 13);
});

t.test('a port that another sidecar listens on is refused, although workers could share it', async t => {
  const second = new Sidecar('second', {
    service: 'second',
    stateDir: '',
    ports: { ...pair.a.ports, inbound: 0, admin: 0, metrics: 0 },
    env: { OUTRIDER_WORKERS: '2' },
  });
  await waitFor('its end', () => second.process.exit !== undefined);
  t.match(second.process.exit, { code: 1 });
  t.match(second.process.output(), /the outbound listener can't listen on 127\.0\.0\.1:\d+/);
});

t.test('requests of both workers finish while the sidecar drains, and it ends with code 0', async t => {
  using callers = clients(CONNECTIONS);
  const answers = callers.map(async caller => {
    const answer = await caller.request({ method: 'GET', path: '/slow?ms=300', headers: { host: 'web' } });
    await answer.body.dump();
    return answer.statusCode;
  });
  await waitFor('the app to have all of them', () => app.active === CONNECTIONS);
  await Promise.all([pair.a.process.stop(), pair.b.process.stop()]);
  t.same(new Set(await Promise.all(answers)), new Set([200]));
  t.match(pair.a.process.exit, { code: 0 });
  t.match(pair.b.process.exit, { code: 0 });
});
