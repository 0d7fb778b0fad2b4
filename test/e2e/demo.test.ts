import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

t.setTimeout(180_000);

interface Result {
  readonly ok: boolean;
  readonly sent: number;
  readonly failed: number;
  readonly edges: readonly Readonly<Record<'from' | 'to' | 'protocol' | 'security', string> & Record<string, number>>[];
}

/** The mark that this demo and all its descendants have in their environment. */
const marked = (mark: string): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`DEMO_TEST=${mark}`);
      } catch {
        return false;
      }
    })
    .map(Number);

/** Where there is no /proc this cannot be looked at. */
const nobodyLeft = (mark: string): Promise<boolean> =>
  process.platform === 'linux' ? waitFor('all to end', () => marked(mark).length === 0) : Promise.resolve(true);

const envFor = (mark: string) => ({ DEMO_TEST: mark, NODE_OPTIONS: undefined });

t.test('the demo runs on every edge over mTLS, says so in JSON, and leaves nothing behind', async t => {
  const mark = `json-${process.pid}`;
  const folders = (): number => readdirSync(tmpdir()).filter(name => name.startsWith('outrider-demo-')).length;
  const before = folders();
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    [PROGRAM, 'demo', '--duration', '3s', '--output', 'json'],
    { env: envFor(mark), timeoutMs: 120_000 },
  );
  t.equal(code, 0, stderr);
  const { ok, sent, failed, edges } = JSON.parse(stdout) as Result;
  t.ok(ok);
  t.ok(sent > 20);
  t.equal(failed, 0);
  t.same(
    new Set(edges.map(({ from, to, protocol }) => `${from} ${to} ${protocol}`)),
    new Set([
      'shopper storefront http',
      'storefront catalog-v1 http',
      'storefront catalog-v2 http',
      'storefront orders grpc',
      'catalog-v1 inventory grpc',
      'catalog-v2 inventory grpc',
      'orders inventory grpc',
      'orders payments http',
      'orders points hessian',
      'orders journal tcp',
      'catalog-v1 ratings thrift',
      'catalog-v2 ratings thrift',
    ]),
  );
  for (const { from, to, protocol, requests = 0, failures, p50 = 0, p99 = 0, security } of edges) {
    t.match({ failures, security }, { failures: 0, security: 'mutual_tls' }, `${from} ${to}`);
    t.ok(requests > 0, `${from} ${to}`);
    t.ok(protocol === 'tcp' || (p50 > 0 && p99 >= p50), `${from} ${to} took some time`);
  }
  const retries = edges.find(({ to }) => to === 'payments')?.retries ?? 0;
  t.ok(retries > 0, 'what payments refused was tried again');
  const [v1 = 0, v2 = 0] = ['catalog-v1', 'catalog-v2'].map(name => edges.find(({ to }) => to === name)?.requests);
  t.ok(v1 > v2, 'the weights of the route are followed');
  t.ok(await nobodyLeft(mark));
  t.equal(folders(), before, 'its temporary folder is gone');
});

t.test('Ctrl-C ends it in order; kill -9 leaves no process behind either', async t => {
  const start = (mark: string) => new RunningProcess(process.execPath, [PROGRAM, 'demo'], { env: envFor(mark) });
  await using demo = start(`int-${process.pid}`);
  await waitFor('shoppers', () => demo.stdout.includes('requests/s'), 60_000);
  demo.signal('SIGINT');
  t.match(await demo.exited, { code: 0 }, demo.output());
  t.match(
    demo.stdout,
    /^A control plane runs.*\nFROM +TO +PROTOCOL .*\nshopper +storefront .*Every request succeeded, over mTLS\.\n$/s,
  );
  t.ok(await nobodyLeft(`int-${process.pid}`));

  await using killed = start(`kill-${process.pid}`);
  await waitFor('the services', () => killed.stdout.includes('starts behind a sidecar'), 60_000);
  await waitFor('their processes', () => marked(`kill-${process.pid}`).length > 4, 60_000);
  killed.signal('SIGKILL');
  t.ok(await nobodyLeft(`kill-${process.pid}`));
});

const needsProc = process.platform === 'linux' ? false : 'needs /proc';

t.test('a sidecar that ends by itself ends the demo, which says which', { skip: needsProc }, async t => {
  const mark = `lost-${process.pid}`;
  await using demo = new RunningProcess(process.execPath, [PROGRAM, 'demo'], { env: envFor(mark) });
  const sidecar = await waitFor(
    'the sidecar of points',
    () => marked(mark).find(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--service\0points\0')),
    60_000,
  );
  process.kill(sidecar, 'SIGKILL');
  t.match(await demo.exited, { code: 1 }, demo.output());
  t.match(demo.stderr, /points ended by itself/);
  t.ok(await nobodyLeft(mark));
});

t.test('wrong usage is 2', async t => {
  const run = (...flags: readonly string[]) =>
    runToEnd(process.execPath, [PROGRAM, 'demo', ...flags], { env: envFor('no') });
  t.match(await run('--duration', 'long'), { code: 2, stderr: /must be a duration such as 20s/ });
  t.match(await run('--output', 'xml'), { code: 2, stderr: /Allowed choices are table, json/ });
});
