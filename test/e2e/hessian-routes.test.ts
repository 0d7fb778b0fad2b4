/** Hessian calls split by routes and repeated one by one, judged by what each app saw. */
import t from 'tap';
import type { RouteView } from '../../api/snapshot.ts';
import { callHessian, startHessianApp } from '../support/hessian-app.ts';
import { WIRES } from '../support/hessian-bytes.ts';
import { startSidecarPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';

const PORT = 8080;
const apps = await Promise.all([1, 2].map(() => startHessianApp()));
const canary = await startHessianApp();

const RETRY = { attempts: 2, codes: [], backoffMs: 1, on: ['reset'] };
const route = (name: string, match: RouteView['matches'][number], more: Partial<RouteView> = {}): RouteView => ({
  name,
  matches: [match],
  filters: [],
  backends: [{ service: 'stable.default', port: PORT, weight: 1, filters: [] }],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
  ...more,
});
const to = (weights: Readonly<Record<string, number>>): RouteView['backends'] =>
  Object.entries(weights).map(([name, weight]) => ({ service: `${name}.default`, port: PORT, weight, filters: [] }));
const ROUTES: readonly RouteView[] = [
  route(
    'ledger',
    { path: { type: 'Exact', value: '/ledger' }, rpcMethod: { type: 'Exact', value: 'add' } },
    { backends: to({ canary: 1 }) },
  ),
  route(
    'idempotent',
    { path: { type: 'Exact', value: '/safe' }, rpcMethod: { type: 'Exact', value: 'vanish' } },
    { retry: RETRY },
  ),
  route('split', { rpcMethod: { type: 'Exact', value: 'echo' } }, { backends: to({ stable: 80, canary: 20 }) }),
  route('hurried', { rpcMethod: { type: 'Exact', value: 'later' } }, { requestTimeoutMs: 20 }),
  route('rest', {}),
];

const pair = await startSidecarPair({
  services: ['stable', 'canary', 'books'].map(name => ({
    name,
    port: PORT,
    protocol: 'hessian' as const,
    appPort: apps[0]?.port ?? 0,
  })),
  policy: {
    loadBalancer: 'roundRobin',
    outlierDetection: null,
    retryBudget: { ratio: 1, minRetries: 100, windowMs: 10_000 },
  },
  editSnapshot: snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => ({
      ...service,
      ports: service.ports.map(port => ({ ...port, routes: service.name === 'books' ? ROUTES : [] })),
      endpoints: (service.name === 'canary' ? [canary] : apps).map((app, i) => ({
        address: `127.0.0.1:${app.port}`,
        identity: null,
        ports: { [PORT]: app.port },
        weight: 1,
        workload: `${service.name}-${i}`,
        labels: {},
        locality: '',
      })),
    })),
  }),
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  for (const app of [...apps, canary]) await app[Symbol.asyncDispose]();
});
const url = (path: string): string => `http://127.0.0.1:${pair.upstream('books')}${path}`;
const seenBy = (app: (typeof apps)[number], method: string): number =>
  app.seen.filter(call => call.method === method).length;

t.test('a route takes one method of one path, in every version of Hessian', async t => {
  for (const wire of WIRES) {
    await callHessian(url('/ledger'), wire, 'add', 1, 2);
    await callHessian(url('/other'), wire, 'add', 1, 2);
    await callHessian(url('/ledger'), wire, 'fail');
  }
  t.equal(seenBy(canary, 'add'), 3);
  t.same([...new Set(canary.seen.map(({ path }) => path))], ['/ledger']);
  t.equal(seenBy(canary, 'fail'), 0);
  const samples = await pair.a.samples();
  t.equal(total(samples, 'outrider_requests_total', { route: 'ledger', method: 'add' }), 3, 'and is counted');
});

t.test('a method is split by weight', async t => {
  for (let i = 0; i < 200; i++) await callHessian(url('/x'), WIRES[i % 3] ?? '2/2', 'echo', i);
  const share = seenBy(canary, 'echo');
  t.ok(share > 15 && share < 70, `20 %: ${share} of 200`);
});

t.test('an idempotent method is repeated when the app breaks off, and another is not', async t => {
  for (const [i, wire] of WIRES.entries()) {
    t.match(await callHessian(url('/safe'), wire, 'vanish', `safe-${i}`), { reply: { kind: 'reply' } }, wire);
    const { status, headers, reply } = await callHessian(url('/unsafe'), wire, 'vanish', `unsafe-${i}`);
    t.equal(status, 200);
    t.match(headers, { 'x-outrider-flag': 'UC' });
    t.match(reply, { kind: 'fault', message: /^The connection to the destination ended during the request\. / });
  }
  const attempts = apps.flatMap(app => app.seen).filter(({ method }) => method === 'vanish');
  for (const [i] of WIRES.entries()) {
    t.ok(attempts.filter(({ args }) => args[0] === `safe-${i}`).length >= 2, 'tried again');
    t.equal(attempts.filter(({ args }) => args[0] === `unsafe-${i}`).length, 1, 'tried once');
  }
});

t.test('a time limit of a route ends in a fault', async t => {
  const { reply } = await callHessian(url('/x'), '2/2', 'later', 'x');
  t.match(reply, { kind: 'fault', message: /^The request did not finish within its time limit\. \[flag=UT / });
});
