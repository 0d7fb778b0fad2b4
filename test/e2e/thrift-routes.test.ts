/** Thrift calls balanced, split by routes and repeated one by one, judged by what each app saw. */
import t from 'tap';
import type { RouteView } from '../../api/snapshot.ts';
import { startSidecarPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { startThriftApp, ThriftClient } from '../support/thrift-app.ts';
import { CALL, EXCEPTION, REPLY, thriftCall, type Wire } from '../support/thrift-bytes.ts';
import { waitFor } from '../support/wait-for.ts';

const WIRE: Wire = { transport: 'header', protocol: 'compact', headers: { Tenant: 'blue' } };
const PLAIN: Wire = { transport: 'header', protocol: 'compact' };
const PORT = 9090;

const apps = await Promise.all([1, 2, 3].map(() => startThriftApp(WIRE)));
const canary = await startThriftApp(WIRE);
const [first] = apps;

const RETRY = { attempts: 2, codes: [], backoffMs: 1, on: ['reset'] };
const route = (
  name: string,
  path: string,
  weights: Readonly<Record<string, number>>,
  more: Partial<RouteView> = {},
): RouteView => ({
  name,
  matches: [{ path: { type: 'RegularExpression', value: path } }],
  filters: [],
  backends: Object.entries(weights).map(([to, weight]) => ({
    service: `${to}.default`,
    port: PORT,
    weight,
    filters: [],
  })),
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
  ...more,
});
const ROUTES: readonly RouteView[] = [
  route('add', '/(?:-|Calc)/(?:echo)', { many: 90, canary: 10 }, { retry: RETRY }),
  route(
    'tenant',
    '',
    { canary: 1 },
    {
      matches: [
        {
          path: { type: 'RegularExpression', value: '/-/(?:silent)' },
          headers: [{ type: 'Exact', name: 'tenant', value: 'blue' }],
        },
      ],
    },
  ),
  route('fault', '/-/(?:big)', { many: 1 }, { fault: { delayMs: 0, delayPercent: 0, abortPercent: 30 } }),
  route('oneway', '/(?:-|Calc)/(?:never)', { many: 1 }, { oneway: true }),
  route('rest', '/.*', { many: 1 }),
];

const COPIED = [
  route('copied', '/.*', { many: 1 }, { mirror: { service: 'canary.default', port: PORT, percent: 100 } }),
];

const services = ['many', 'canary', 'split', 'copied', 'parallel'].map(name => ({
  name,
  port: PORT,
  protocol: 'thrift' as const,
  appPort: first?.port ?? 0,
}));
const pair = await startSidecarPair({
  services,
  policy: {
    loadBalancer: 'roundRobin',
    outlierDetection: null,
    retryBudget: { ratio: 1, minRetries: 100, windowMs: 10_000 },
  },
  editSnapshot: snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => ({
      ...service,
      ports: service.ports.map(port => ({
        ...port,
        routes: { split: ROUTES, copied: COPIED }[service.name] ?? [],
        policy: { ...port.policy, ...(service.name === 'parallel' ? { thriftPipelining: 'parallel' as const } : {}) },
      })),
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

t.test('the calls of one client connection are spread evenly over three instances', async t => {
  using client = new ThriftClient(pair.upstream('many'), WIRE);
  for (let i = 0; i < 999; i++) await client.call('echo', 'x');
  t.same(
    apps.map(app => app.seen.length),
    [333, 333, 333],
  );
  t.ok(
    apps.every(app => app.connections === 1),
    'over one connection to each',
  );
});

t.test('a route sends a share of one method elsewhere, and nothing of another', async t => {
  using client = new ThriftClient(pair.upstream('split'), WIRE);
  for (let i = 0; i < 1_000; i++) await client.call(i % 2 === 0 ? 'echo' : 'Calc:echo', 'x');
  const share = canary.seen.length;
  t.ok(share > 50 && share < 160, `10 %: ${share} of 1000`);
  for (let i = 0; i < 200; i++) await client.call('declared', 'x');
  t.equal(canary.seen.length, share);
});

t.test('a fault of 30 % on one method hits it alone, as an exception with the sentence', async t => {
  using client = new ThriftClient(pair.upstream('split'), WIRE);
  const types = { big: [] as unknown[], declared: [] as unknown[] };
  for (let i = 0; i < 300; i++)
    for (const method of ['big', 'declared'] as const) types[method].push((await client.call(method, '1'))?.type);
  const faults = types.big.filter(type => type === EXCEPTION).length;
  t.ok(faults > 50 && faults < 135, `${faults} of 300`);
  t.notOk(types.declared.includes(EXCEPTION), 'the other method has none');
});

t.test('calls of a rule with a mirror are copied to it, and its answers are dropped', async t => {
  const before = canary.seen.length;
  using client = new ThriftClient(pair.upstream('copied'), WIRE);
  const texts = Array.from({ length: 50 }, (_, i) => `copy ${i}`);
  for (const text of texts) t.match(await client.call('echo', text), { type: REPLY, text });
  await waitFor('the copies', () => canary.seen.length === before + texts.length);
  t.same(
    canary.seen
      .slice(before)
      .map(({ text }) => text)
      .sort(),
    texts.sort(),
  );
});

t.test(
  'where pipelining is parallel, calls are under way at once and replies come as they are ready, each whole',
  async t => {
    using client = new ThriftClient(pair.upstream('parallel'), WIRE);
    const methods = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? 'later' : i % 3 === 1 ? 'echo' : 'big'));
    const replies = await Promise.all(
      methods.map((method, i) => client.call(method, method === 'big' ? '300000' : `${i}`, 5_000 + i)),
    );
    const order = replies.map(reply => (reply?.sequence ?? 0) - 5_000);
    t.same(
      [...order].sort((a, b) => a - b),
      methods.map((_, i) => i),
    );
    t.notSame(
      order,
      methods.map((_, i) => i),
      'some take longer',
    );
    for (const reply of replies) {
      const i = (reply?.sequence ?? 0) - 5_000;
      t.equal(reply?.text.length, methods[i] === 'big' ? 300_000 : `${i}`.length);
      if (methods[i] !== 'big') t.equal(reply?.text, `${i}`);
    }
    for (let i = 0; i < 10; i++) client.socket.write(thriftCall(WIRE, i % 2 === 0 ? 'later' : 'never', i, 'x'));
    client.socket.end(thriftCall(WIRE, 'echo', 1, 'cut short').subarray(0, 9));
    t.equal(await client.reply(), undefined, 'who ends the connection has gone');
    const active = async (): Promise<number> =>
      total(await pair.a.samples(), 'outrider_active_requests') +
      total(await pair.a.samples(), 'outrider_buffered_bytes');
    await waitFor('everything to be let go', async () => (await active()) === 0);
  },
);

t.test('a method that a rule says gets no reply holds up nothing, although its messages are calls', async t => {
  const opened = (): number => apps.reduce((sum, { connections }) => sum + connections, 0);
  const came = (): number =>
    apps.flatMap(({ seen }) => seen).filter(({ name, type }) => name === 'never' && type === CALL).length;
  const before = opened();
  const already = came();
  using client = new ThriftClient(pair.upstream('split'), WIRE);
  for (let i = 0; i < 30; i++) {
    client.socket.write(thriftCall(WIRE, 'never', i, 'x'));
    t.match(await client.call('declared', 'next'), { type: REPLY, text: 'next' });
  }
  await waitFor('all of them', () => came() === already + 30);
  t.equal(opened(), before, 'the connections to the apps go on');
});

t.test('a route matches a header of the THeader', async t => {
  const before = canary.seen.length;
  using blue = new ThriftClient(pair.upstream('split'), WIRE);
  using none = new ThriftClient(pair.upstream('split'), PLAIN);
  t.match(await blue.call('silent', 'b'), { text: 'b' });
  t.match(await none.call('silent', 'n'), { text: 'n' });
  t.same(
    canary.seen.slice(before).map(({ text }) => text),
    ['b'],
  );
});

t.test(
  'an instance that goes away under load costs idempotent methods nothing, and others a clean exception',
  async t => {
    const clients = Array.from({ length: 8 }, () => new ThriftClient(pair.upstream('split'), WIRE));
    let killed = false;
    const outcomes = await Promise.all(
      clients.map(async (client, n) => {
        const seen: unknown[] = [];
        for (let i = 0; i < 100; i++) {
          if (n === 0 && i === 30 && !killed) {
            killed = true;
            await first?.[Symbol.asyncDispose]();
          }
          const reply = await client.call(n % 2 === 0 ? 'echo' : 'later', 'x');
          seen.push(reply?.type);
          if (n % 2 === 1 && i >= 12) break;
        }
        return seen;
      }),
    );
    for (const client of clients) client[Symbol.dispose]();
    for (const [n, seen] of outcomes.entries())
      if (n % 2 === 0)
        t.ok(
          seen.every(type => type === REPLY),
          'echo: no error',
        );
      else
        t.ok(
          seen.every(type => type === REPLY || type === EXCEPTION),
          'later: a reply or an exception',
        );
  },
);
