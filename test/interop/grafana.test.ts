/** Every query of the Grafana dashboard returns data in a real Prometheus that scrapes a real mesh. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { request } from 'undici';
import { missing } from '../support/foreign-tools.ts';
import { freePort } from '../support/ports.ts';
import { RunningProcess } from '../support/processes.ts';
import { RunningMesh } from '../support/running-mesh.ts';
import { SteadyTraffic } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
}
const DASHBOARD = fileURLToPath(new URL('../../manifests/grafana/outrider.json', import.meta.url));
const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;
/** What Grafana puts in place of its variables. */
const filled = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '10s').replaceAll('$namespace', '.*').replaceAll('$service', '.*');

/** One connection of raw bytes. */
const talk = async (port: number): Promise<void> => {
  const socket = net.connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
};

t.setTimeout(120_000);

t.test('every query returns data', { skip: missing('prometheus') }, async t => {
  await using mesh = await RunningMesh.start();
  await mesh.create('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nobody', namespace: 'default' },
    spec: { selector: { app: 'nobody' }, ports: [{ port: 80, appProtocol: 'http' }] },
  });
  const [rawPort, upstreamPort] = await Promise.all([freePort(), freePort()]);
  const [first, second, raw] = await Promise.all([
    mesh.run({ service: 'app' }),
    mesh.run({ service: 'app' }),
    mesh.run({ service: 'raw', flags: ['--port', `tcp=${rawPort}`], env: { PORT: String(rawPort) } }),
  ]);
  const caller = mesh.runCaller('client', ['--upstream', `raw=${upstreamPort}`]);
  const units = [first, second, raw, caller];
  await Promise.all(units.map(unit => unit.ready()));
  const targets = await Promise.all(units.map(unit => unit.metricsAddress()));
  const cwd = t.testdir();
  writeFileSync(
    join(cwd, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '1s' },
      scrape_configs: [{ job_name: 'outrider', static_configs: [{ targets }] }],
    }),
  );
  const port = await freePort();
  await using prometheus = new RunningProcess(
    'prometheus',
    ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=127.0.0.1:${port}`],
    { cwd },
  );
  const query = async (expr: string): Promise<readonly unknown[]> => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ query: expr }).toString(),
    });
    const answer = await body.text();
    if (statusCode !== 200) throw new Error(`${expr}: ${answer}`);
    return (JSON.parse(answer) as { readonly data: { readonly result: readonly unknown[] } }).data.result;
  };
  await waitFor(
    'the first scrape',
    async () => (await query('up == 1').catch(() => [])).length === targets.length,
    30_000,
  );
  const proxy = await caller.outbound();
  await using calls = new SteadyTraffic({ proxy, host: 'app' });
  await using misses = new SteadyTraffic({ proxy, host: 'nobody' });
  await second.kill();
  t.comment(`Prometheus listens on ${port}, as process ${prometheus.pid}`);
  for (const { title, targets: wanted = [] } of panels)
    for (const { expr } of wanted)
      await t.resolves(
        waitFor(
          title,
          async () => {
            if (/tcp_/.test(expr)) await talk(upstreamPort);
            return (await query(filled(expr))).length > 0;
          },
          20_000,
        ),
        `${title}: ${expr}`,
      );
  for (const traffic of [calls, misses]) t.ok((await traffic.stop()).length > 0);
});
