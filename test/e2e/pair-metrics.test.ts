/** What the sidecars count is what was sent, exactly, whatever went wrong on the way; and what was cancelled is gone. */
import { request as httpRequest } from 'node:http';
import * as grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Pool, request } from 'undici';
import { beginUnary, unary } from '../support/grpc-calls.ts';
import { echoClient, message, startEchoServer } from '../support/grpc-echo.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair, WORKERS } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { waitFor } from '../support/wait-for.ts';

const app = await startHttpApp();
const echo = await startEchoServer();
const pair = await startSidecarPair({
  services: [
    { name: 'web', port: 80, protocol: 'http', appPort: app.port },
    { name: 'echo', port: 50051, protocol: 'grpc', appPort: echo.port },
  ],
  // A retried request would be sent more often than it was asked for, and an ejected instance less often.
  policy: { outlierDetection: null, retryBudget: { ratio: 0, minRetries: 0, windowMs: 10_000 } },
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await echo[Symbol.asyncDispose]();
});
const url = `http://127.0.0.1:${pair.outbound}`;
const headers = { host: 'web' };

/** Requests that each reporter counts, by labels. */
const counted = async (labels: Record<string, string>): Promise<{ source: number; destination: number }> => {
  const [a, b] = await Promise.all([pair.a.samples(), pair.b.samples()]);
  return {
    source: total(a, 'outrider_requests_total', { reporter: 'source', ...labels }),
    destination: total(b, 'outrider_requests_total', { reporter: 'destination', ...labels }),
  };
};

/** Waits for a count to come true: an exchange is counted when it ends, which may be a moment after the client is done. */
const becomes = async (t: Test, labels: Record<string, string>, expected: { source: number; destination: number }) => {
  const same = async () => {
    const now = await counted(labels);
    return now.source >= expected.source && now.destination >= expected.destination;
  };
  await waitFor('the counts', same, 3_000).catch(() => undefined);
  t.same(await counted(labels), expected, JSON.stringify(labels));
};

/** Begins a request and gives it up once the app has it. */
const abandon = async (path: string): Promise<void> => {
  const before = app.active;
  const sent = httpRequest({ host: '127.0.0.1', port: pair.outbound, path, headers });
  sent.on('error', () => undefined);
  sent.end();
  await waitFor('the app to have it', () => app.active === before + 1);
  sent.destroy();
  await waitFor('the app to be rid of it', () => app.active === before);
};

t.test('a mix of successes, errors, resets and cancellations is counted exactly', async t => {
  const pool = new Pool(url, { connections: 8 });
  const get = async (path: string, host = 'web'): Promise<number> => {
    // What is safe to repeat may be repeated after a reset, and the app would see it twice.
    const method = path === '/reset' ? 'POST' : 'GET';
    const answer = await pool.request({ path, method, headers: { host } });
    await answer.body.dump().catch(() => undefined);
    return answer.statusCode;
  };
  const times = <T>(count: number, work: () => Promise<T>): Promise<T>[] => Array.from({ length: count }, work);
  await Promise.all([
    ...times(300, () => get('/')),
    ...times(40, () => get('/missing')),
    ...times(30, () => get('/status?code=500')),
    ...times(20, () => get('/', 'nobody')),
    ...times(10, () => get('/reset')),
  ]);
  for (let i = 0; i < 7; i++) await abandon('/hang');
  for (let i = 0; i < 5; i++) await get('/break').catch(() => undefined);
  const destination_service = 'web';
  await becomes(
    t,
    { destination_service, response_code: '200', response_flags: '-' },
    { source: 300, destination: 300 },
  );
  await becomes(t, { destination_service, response_code: '404' }, { source: 40, destination: 40 });
  await becomes(t, { destination_service, response_code: '500' }, { source: 30, destination: 30 });
  await becomes(t, { destination_service, response_code: '503' }, { source: 10, destination: 10 });
  await becomes(t, { response_flags: 'NR' }, { source: 20, destination: 0 });
  await becomes(t, { destination_service, response_flags: 'DC' }, { source: 7, destination: 7 });
  await becomes(t, { destination_service, request_protocol: 'http' }, { source: 392, destination: 392 });
  t.equal(app.seen.get('/'), 300, 'the app counts the same');
  t.equal(app.seen.get('/reset'), 10, 'and saw no request twice');
  await pool.close();
});

t.test('labels say who called whom, how, and over mTLS', async t => {
  const [sample] = (await pair.b.samples()).filter(
    ({ name, labels }) => name === 'outrider_requests_total' && labels.response_code === '500',
  );
  t.match(sample?.labels, {
    reporter: 'destination',
    source_service: 'client',
    source_namespace: 'default',
    source_principal: 'spiffe://mesh.local/ns/default/sa/client',
    destination_service: 'web',
    destination_namespace: 'default',
    destination_principal: 'spiffe://mesh.local/ns/default/sa/server',
    request_protocol: /^http/,
    connection_security_policy: 'mutual_tls',
    method: '',
  });
});

t.test('gRPC calls are counted by method and status, cancelled ones too', async t => {
  const client = echoClient(pair.outbound, 'echo:50051');
  for (let i = 0; i < 20; i++) await unary(client, message());
  for (let i = 0; i < 5; i++) await unary(client, message({ failCode: grpc.status.NOT_FOUND }));
  for (let i = 0; i < 3; i++) {
    const { calls, cancelled } = echo;
    const call = beginUnary(client, message({ delayMs: 60_000 }));
    await waitFor('the server to have it', () => echo.calls === calls + 1);
    call.cancel();
    await waitFor('the server to learn of it', () => echo.cancelled === cancelled + 1);
  }
  const destination_service = 'echo';
  const ok = { destination_service, request_protocol: 'grpc', grpc_response_status: '0' };
  await becomes(t, ok, { source: 20, destination: 20 });
  await becomes(
    t,
    { destination_service, request_protocol: 'grpc', grpc_response_status: '5' },
    { source: 5, destination: 5 },
  );
  await becomes(
    t,
    { destination_service, request_protocol: 'grpc', response_flags: 'DC' },
    { source: 3, destination: 3 },
  );
  const method = 'outrider.test.Echo/Unary';
  await becomes(t, { destination_service, method, response_flags: '-' }, { source: 25, destination: 25 });
  // A cancelled call bears its name where the app has answered to it before: a second worker may not have seen that.
  if (WORKERS === 1) await becomes(t, { destination_service, method }, { source: 28, destination: 28 });
  client.close();
});

t.test('bytes of bodies are counted, and durations as often as requests', async t => {
  const before = await pair.a.samples();
  for (let i = 0; i < 10; i++) {
    const answer = await request(`${url}/echo`, { method: 'POST', headers, body: Buffer.alloc(10_000) });
    await answer.body.dump();
  }
  const after = await waitFor('the last of them', async () => {
    const samples = await pair.a.samples();
    const more = total(samples, 'outrider_request_bytes_total') - total(before, 'outrider_request_bytes_total');
    return more >= 100_000 && samples;
  });
  const grown = (name: string) =>
    total(after, name, { destination_service: 'web' }) - total(before, name, { destination_service: 'web' });
  t.equal(grown('outrider_request_bytes_total'), 100_000);
  t.equal(grown('outrider_response_bytes_total'), 100_000);
  t.equal(grown('outrider_request_duration_seconds_count'), 10);
  t.equal(
    total(after, 'outrider_request_duration_seconds_count'),
    total(after, 'outrider_requests_total'),
    'every request has a duration',
  );
});

t.test('cancelling frees everything at once: nothing is in flight afterwards', async t => {
  const before = app.aborted;
  await Promise.all(Array.from({ length: 50 }, () => abandonAtOnce()));
  await waitFor('the app to be free', () => app.active === 0);
  t.ok(app.aborted - before <= 50, 'the app learns of those that had reached it');
  for (const sidecar of [pair.a, pair.b]) {
    const left = async (): Promise<{ active: number; buffered: number }> => {
      const samples = await sidecar.samples();
      return {
        active: total(samples, 'outrider_active_requests'),
        buffered: total(samples, 'outrider_buffered_bytes'),
      };
    };
    await waitFor('nothing in flight', async () => (await left()).active === 0, 3_000).catch(() => undefined);
    t.same(await left(), { active: 0, buffered: 0 }, sidecar.process.name);
  }
});

/** A request whose client leaves 100 ms after asking. */
async function abandonAtOnce(): Promise<void> {
  await request(`${url}/hang`, { headers, signal: AbortSignal.timeout(100) }).catch(() => undefined);
}
