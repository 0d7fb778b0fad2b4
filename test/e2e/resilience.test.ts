/** What real deployments do to a service, and what its callers notice: three instances behind a name, real processes, rootless. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Pool } from 'undici';
import { DEFAULT_POLICY } from '../../api/snapshot.ts';
import { good, type Instance, slow, startInstances, status } from '../support/instances.ts';
import { startSidecarPair } from '../support/pair.ts';
import { waitFor } from '../support/wait-for.ts';

const world = await startInstances(3, {
  outlierDetection: { ...DEFAULT_POLICY.outlierDetection!, baseEjectionMs: 500 },
});
const { caller, all } = world;
const pool = new Pool(world.url, { connections: 50 });
t.teardown(async () => {
  await pool.close();
  await world[Symbol.asyncDispose]();
});

interface Outcome {
  readonly method: string;
  /** 0: no answer at all. */
  readonly status: number;
  readonly flag: string;
  readonly detail: string;
}

const send = async (method: 'GET' | 'POST'): Promise<Outcome> => {
  try {
    const body = method === 'POST' ? 'hello' : null;
    const answer = await pool.request({ method, path: '/', headers: { host: 'app' }, body });
    await answer.body.dump();
    const { 'x-outrider-flag': flag, 'x-outrider-detail': detail } = answer.headers;
    return { method, status: answer.statusCode, flag: String(flag ?? ''), detail: String(detail ?? '') };
  } catch (error) {
    return { method, status: 0, flag: '', detail: String(error) };
  }
};

/** 200 GET and 20 POST a second for `ms`; `during` happens a quarter into it. */
const traffic = async (ms: number, during: () => void = () => {}): Promise<Outcome[]> => {
  const outcomes: Promise<Outcome>[] = [];
  const start = performance.now();
  let happened = false;
  for (let tick = 0; performance.now() - start < ms; tick++) {
    outcomes.push(send('GET'));
    if (tick % 10 === 0) outcomes.push(send('POST'));
    if (!happened && performance.now() - start > ms / 4) {
      happened = true;
      during();
    }
    await pause(Math.max(0, start + (tick + 1) * 5 - performance.now()));
  }
  return Promise.all(outcomes);
};

const stateOf = async (instance: Instance): Promise<string> => {
  const rows = JSON.parse(await caller.admin('/clusters?format=json')) as { endpoint: string; state: string }[];
  return rows.find(({ endpoint }) => endpoint === instance.address)?.state ?? 'unknown';
};
const metricOf = async (instance: Instance): Promise<string> => {
  const samples = await caller.samples();
  const sample = samples.find(
    ({ name, labels }) => name === 'outrider_endpoint_state' && labels.endpoint === instance.address,
  );
  return sample?.labels.state ?? 'unknown';
};
const logged = (message: string, instance: Instance): string[] =>
  caller.process.stdout.split('\n').filter(line => line.includes(message) && line.includes(instance.address));

t.test('traffic is spread over all instances', async t => {
  const outcomes = await traffic(500);
  t.same(
    outcomes.filter(each => each.status !== 200),
    [],
  );
  for (const { served } of all) t.ok(served > outcomes.length / 20, `${served} of ${outcomes.length}`);
});

t.test('an instance that answers 503 is ejected, probed and taken back, all visible', async t => {
  const sick = all[0] as Instance;
  sick.answer = status(503);
  const failed = (await traffic(400)).filter(each => each.status !== 200);
  t.ok(failed.length <= 10, `${failed.length} of its answers were seen`);
  t.ok(
    failed.every(each => each.status === 503 && each.flag === ''),
    'they are the app’s own',
  );
  t.not(await stateOf(sick), 'healthy');
  t.not(await metricOf(sick), 'healthy');
  t.match(logged('An endpoint was ejected.', sick)[0], /"cause":"status 503","consecutive_failures":5/);
  sick.answer = good;
  await waitFor('it to be taken back', async () => {
    await traffic(100);
    return (await stateOf(sick)) === 'healthy';
  });
  t.equal(await metricOf(sick), 'healthy');
  t.ok(logged('An endpoint is probed.', sick).length > 0);
  t.match(logged('An endpoint is back.', sick).at(-1), /"cause":"the probe succeeded"/);
  sick.served = 0;
  await traffic(500);
  t.ok(sick.served > 0, 'and gets traffic');
});

t.test('an instance that gets slow gets less traffic within two seconds', async t => {
  const lame = all[1] as Instance;
  lame.answer = slow(100);
  await traffic(1_000);
  for (const instance of all) instance.served = 0;
  const outcomes = await traffic(1_000);
  t.ok(lame.served < outcomes.length / 10, `${lame.served} of ${outcomes.length}`);
  t.same(
    outcomes.filter(each => each.status !== 200),
    [],
  );
  lame.answer = good;
});

t.test('SIGTERM of an instance: no request of any kind fails', async t => {
  const leaving = all[1] as Instance;
  const outcomes = await traffic(1_500, () => leaving.sidecar.process.signal('SIGTERM'));
  t.same(
    outcomes.filter(each => each.status !== 200),
    [],
  );
  t.same(await leaving.sidecar.process.exited, { code: 0, signal: null });
});

t.test('kill -9 of an instance: no GET fails, and a POST only where it was in flight, saying why', async t => {
  const [, gone, victim] = all as [Instance, Instance, Instance];
  await world.forget(gone);
  const outcomes = await traffic(2_000, () => victim.sidecar.process.signal('SIGKILL'));
  const failed = outcomes.filter(each => each.status !== 200);
  t.same(
    failed.filter(each => each.method === 'GET'),
    [],
  );
  t.ok(failed.length <= 3, `${failed.length} POSTs were in flight`);
  for (const each of failed) t.match(each, { status: 503, flag: /^U[CR]$/, detail: /^[a-z_]+$/ });
});

t.test('a server that closes idle connections at random: GET never fails, and no POST is repeated', async t => {
  const seen = { GET: 0, POST: 0 };
  const server = net.createServer(socket => {
    let timer: NodeJS.Timeout | undefined;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', chunk => {
      clearTimeout(timer);
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const [, length = '0'] = /content-length: (\d+)/i.exec(text.slice(0, end)) ?? [];
        if (text.length < end + 4 + Number(length)) return;
        seen[text.startsWith('POST') ? 'POST' : 'GET']++;
        text = text.slice(end + 4 + Number(length));
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        timer = setTimeout(() => socket.destroy(), 10 + 40 * Math.random());
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using pair = await startSidecarPair({ services: [{ name: 'app', port: 80, protocol: 'http', appPort: port }] });
  const client = new Pool(`http://127.0.0.1:${pair.outbound}`, { connections: 4 });
  const answers: { method: string; status: number; flag: string }[] = [];
  const end = performance.now() + 3_000;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const method = Math.random() < 0.2 ? 'POST' : 'GET';
      const body = method === 'POST' ? 'hello' : null;
      const answer = await client.request({ method, path: '/', headers: { host: 'app' }, body });
      await answer.body.dump();
      answers.push({ method, status: answer.statusCode, flag: String(answer.headers['x-outrider-flag'] ?? '') });
      await pause(60 * Math.random());
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  await client.close();
  server.close();
  const bad = answers.filter(each => each.status !== 200);
  t.same(
    bad.filter(each => each.method === 'GET'),
    [],
  );
  for (const each of bad) t.match(each, { method: 'POST', status: 503, flag: 'UC' });
  const posts = answers.filter(each => each.method === 'POST').length;
  t.ok(seen.POST <= posts, `${posts} POSTs sent, ${seen.POST} seen`);
  t.ok(answers.length > 100, `${answers.length} requests, ${bad.length} of the POSTs met a closing connection`);
});
