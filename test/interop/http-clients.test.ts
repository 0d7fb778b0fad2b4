/** Ordinary clients and an ordinary server, none of them changed: curl, Python's http.client, wrk and h2load against Flask. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { missing, PYTHON } from '../support/foreign-tools.ts';
import { startPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { type Sample, total } from '../support/prometheus-text.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
const skip = missing('curl', 'wrk', 'h2load', 'promtool', 'gunicorn');

t.test('foreign HTTP clients and Flask', { skip }, async t => {
  const appPort = await freePort();
  const flask = [
    '-w',
    '1',
    '--threads',
    '4',
    '--keep-alive',
    '60',
    '-b',
    `127.0.0.1:${appPort}`,
    '--chdir',
    FIXTURES,
    'flask_app:app',
  ];
  await using app = new RunningProcess('gunicorn', flask, { env: { PYTHONDONTWRITEBYTECODE: '1' } });
  await waitFor(`gunicorn ${app.pid}`, () => connects(appPort));
  await using pair = await startPair({ services: [{ name: 'web', port: 80, protocol: 'http', appPort }] });
  const outbound = `http://127.0.0.1:${pair.outbound}`;
  const upstream = `http://127.0.0.1:${pair.upstream('web')}`;
  const directory = t.testdir({});
  const sidecars = pair.kind === 'sidecars' ? [pair.a, pair.b] : [];

  /** Requests that the app has seen, by its own count. */
  const seen = async (): Promise<number> => {
    const answer = await request(`http://127.0.0.1:${appPort}/seen`);
    return ((await answer.body.json()) as { requests: number }).requests;
  };
  const requestsTotal = async (): Promise<{ source: number; destination: number; ok: number }> => {
    const [a = [], b = []] = await Promise.all(sidecars.map(sidecar => sidecar.samples()));
    const of = (samples: Sample[], labels: Record<string, string>) => total(samples, 'outrider_requests_total', labels);
    return {
      source: of(a, { reporter: 'source' }),
      destination: of(b, { reporter: 'destination' }),
      ok: of(a, { reporter: 'source', response_code: '200', response_flags: '-' }),
    };
  };

  await t.test('control: the app itself', async t => {
    const answer = await request(`http://127.0.0.1:${appPort}/`);
    t.same(await answer.body.json(), { hello: 'world' });
    t.equal(await seen(), 1);
  });

  for (const version of ['--http1.0', '--http1.1', '--http2-prior-knowledge']) {
    for (const [way, url] of [
      ['by Host', outbound],
      ['by port', upstream],
    ] as const) {
      await t.test(`curl ${version}, ${way}`, async t => {
        const curl = async (...args: string[]) =>
          runToEnd('curl', [
            '-sS',
            '-m',
            '10',
            version,
            '-H',
            'Host: web',
            '-w',
            '\n%{http_code} %{num_connects}',
            ...args,
          ]);
        const before = await seen();
        t.match((await curl(`${url}/`)).stdout, /^\{"hello":"world"\}\n+200 1$/);
        t.match((await curl('-I', `${url}/`)).stdout, /\n200 1$/, 'HEAD');
        t.match((await curl(`${url}/stream`)).stdout, /line 999\n\n200 1$/, 'an answer without a length');
        t.match(
          (await curl('--data-binary', 'x'.repeat(100_000), `${url}/echo`)).stdout,
          /^x{100000}\n200 1$/,
          'Expect: 100-continue',
        );
        t.match((await curl(`${url}/fail/503`)).stdout, /^failed\n\n503 1$/, "the app's own error stays its own");
        t.equal(await seen(), before + 5, 'the app saw each once');
      });
    }
  }

  await t.test(
    'curl as an HTTP proxy client, plain and through a tunnel',
    { skip: pair.kind === 'haproxy' && 'HAProxy knows no CONNECT to a name' },
    async t => {
      for (const tunnel of [[], ['--proxytunnel']]) {
        const done = await runToEnd('curl', ['-sS', '-m', '10', '-x', outbound, ...tunnel, 'http://web/']);
        t.equal(done.stdout.trim(), '{"hello":"world"}', done.stderr);
      }
    },
  );

  await t.test("Python's http.client on one connection", async t => {
    const script = `
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", ${pair.upstream('web')}, timeout=10)
for i in range(50):
    connection.request("POST", "/echo", body=(b"part%d" % j for j in range(3)), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().read() == b"part0part1part2"
    connection.request("GET", "/")
    assert b"world" in connection.getresponse().read()
print("done")
`;
    const done = await runToEnd(PYTHON, ['-c', script]);
    t.equal(done.stdout.trim(), 'done', done.stderr);
  });

  /** `cutOff`: requests whose client went away, which the app may never have seen. */
  const settled = async (t: Test, sent: { source: number }, count: number, cutOff = 0): Promise<void> => {
    if (pair.kind !== 'sidecars') return;
    await waitFor('the counts', async () => (await requestsTotal()).source >= sent.source + count, 3_000).catch(
      () => undefined,
    );
    const counted = (await requestsTotal()).source - sent.source;
    if (cutOff === 0) t.equal(counted, count, 'the caller’s sidecar counts as many as were sent');
    else t.ok(counted >= count && counted <= count + cutOff, `it counts ${counted} where the app saw ${count}`);
  };

  for (const [name, options] of [
    ['HTTP/2', ['-c', '4', '-m', '8']],
    // One at a time: gunicorn itself loses pipelined requests.
    ['HTTP/1.1', ['--h1', '-c', '16', '-m', '1']],
  ] as const) {
    await t.test(`h2load over ${name}: 2,000 requests, counted exactly by both sidecars and the app`, async t => {
      const [before, seenBefore] = [await requestsTotal(), await seen()];
      const load = ['-n', '2000', ...options, `${upstream}/`];
      const done = await runToEnd('h2load', load);
      // HAProxy leaves out the reason phrase, which h2load cannot read.
      if (pair.kind === 'sidecars') t.match(done.stdout, /2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/);
      else t.match(done.stdout, /2000 done/);
      await settled(t, before, 2_000);
      const after = await requestsTotal();
      if (pair.kind === 'sidecars') t.equal(after.destination - before.destination, 2_000);
      t.equal((await seen()) - seenBefore, 2_000);
    });
  }

  await t.test('wrk: no errors, and every answer that it counted was counted', async t => {
    const [before, seenBefore] = [await requestsTotal(), await seen()];
    const connections = 16;
    const done = await runToEnd('wrk', [
      '-t',
      '1',
      '-c',
      `${connections}`,
      '-d',
      '2s',
      '-H',
      'Host: web',
      `${outbound}/`,
    ]);
    t.notMatch(done.stdout, /Socket errors|Non-2xx/);
    const answered = Number(/(\d+) requests in/.exec(done.stdout)?.[1] ?? '0');
    t.ok(answered > 100, `${answered} answers`);
    const reached = (await seen()) - seenBefore;
    await settled(t, before, reached, connections);
    if (pair.kind !== 'sidecars') return;
    const after = await requestsTotal();
    t.ok(
      after.ok - before.ok >= answered && after.ok - before.ok <= answered + connections,
      'and those in flight when it stopped',
    );
  });

  await t.test('promtool accepts both expositions', async t => {
    for (const sidecar of sidecars) {
      const file = join(directory, 'metrics.txt');
      writeFileSync(file, await sidecar.exposition());
      const done = await runToEnd('sh', ['-c', `promtool check metrics < ${file}`]);
      t.equal(done.code, 0, done.stderr + done.stdout);
    }
  });
});
