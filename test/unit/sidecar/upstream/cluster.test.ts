import t from 'tap';
import { DEFAULT_POLICY } from '../../../../api/snapshot.ts';
import { manualClock } from '../../../../common/clock.ts';
import { seededRandom } from '../../../../common/random.ts';
import { type Cluster, Clusters } from '../../../../sidecar/upstream/cluster.ts';
import type { Endpoint } from '../../../../sidecar/upstream/endpoint.ts';
import { ReceivedCells, SharedCells } from '../../../../sidecar/workers/cells.ts';
import { endpointView, portView, serviceView, snapshotOf } from '../route/snapshot.fixture.ts';

const start = () => {
  const clock = manualClock();
  const gone: string[] = [];
  const clusters = new Clusters({ clock, random: seededRandom(1) }, endpoint => gone.push(endpoint.address));
  return { clock, gone, clusters };
};
const A = endpointView('10.0.0.1:15006', { ports: { '80': 8_080, '9090': 50_051 } });
const B = endpointView('10.0.0.2:15006');
const app = (endpoints = [A, B], ports = [portView(80), portView(9_090, { protocol: 'grpc' })]) =>
  serviceView('app', { endpoints, ports });
const addresses = (endpoints: readonly Endpoint[] | undefined): string[] | undefined =>
  endpoints?.map(({ address }) => address);

t.test('each port of each service is a cluster with the instances that serve it', t => {
  const { clusters } = start();
  clusters.apply(snapshotOf(app(), serviceView('ledger', { namespace: 'books', ports: [portView(81)] })));
  t.same(
    [...clusters.all()].map(({ key }) => key),
    ['app.default:80', 'app.default:9090', 'ledger.books:81'],
  );
  t.same(addresses(clusters.get('app.default:80')?.endpoints), [A.address, B.address]);
  t.same(addresses(clusters.get('app.default:9090')?.endpoints), [A.address], 'the other one has no such port');
  t.equal(clusters.get('app.default:9090')?.protocol, 'grpc');
  t.equal(clusters.get('ledger.books:81')?.pick(undefined), undefined, 'no instance');
  t.equal(clusters.get('nobody.default:80'), undefined);
  t.end();
});

t.test('clusters and endpoints, and what was learned of them, stay across snapshots', t => {
  const { clusters, clock, gone } = start();
  clusters.apply(snapshotOf(app()));
  const cluster = clusters.get('app.default:80')!;
  const endpoint = cluster.endpoints[0]!;
  cluster.breaker.force('requests');
  endpoint.latency.observe(42, false, 0);
  clock.advance(1_000);
  clusters.apply(snapshotOf(app([{ ...A, weight: 5, labels: { version: 'v2' } }, B])));
  t.equal(clusters.get('app.default:80'), cluster);
  t.equal(cluster.breaker.count('requests'), 1);
  t.equal(cluster.endpoints[0], endpoint);
  t.equal(endpoint.weight, 5, 'with what the newest snapshot says');
  t.ok(endpoint.latency.currentMs(1_000) > 30);
  t.same(gone, []);
  t.end();
});

t.test('an endpoint that no snapshot lists any more is reported, once', t => {
  const { clusters, gone } = start();
  clusters.apply(snapshotOf(app()));
  clusters.apply(snapshotOf(app([B])));
  t.same(gone, [A.address]);
  clusters.apply(snapshotOf(app([B])));
  t.same(gone, [A.address]);
  clusters.apply(snapshotOf());
  t.same(gone, [A.address, B.address]);
  t.same([...clusters.all()], []);
  t.end();
});

t.test('a reused address with another identity is another endpoint', t => {
  const { clusters, gone } = start();
  clusters.apply(snapshotOf(app([A])));
  const before = clusters.get('app.default:80')!.endpoints[0];
  clusters.apply(snapshotOf(app([{ ...A, identity: 'spiffe://mesh.local/ns/default/sa/other' }])));
  t.not(clusters.get('app.default:80')!.endpoints[0], before);
  t.same(gone, [A.address]);
  t.end();
});

t.test('an instance of two services is reported for the one that loses it', t => {
  const { clusters, gone } = start();
  const other = serviceView('other', { endpoints: [A] });
  clusters.apply(snapshotOf(app([A]), other));
  clusters.apply(snapshotOf(other));
  t.same(gone, [A.address]);
  t.same(addresses(clusters.get('other.default:80')?.endpoints), [A.address], 'and serves the other');
  t.end();
});

t.test('picks follow the newest snapshot and the newest policy', t => {
  const { clusters } = start();
  const roundRobin = [portView(80, { policy: { ...DEFAULT_POLICY, loadBalancer: 'roundRobin' } })];
  clusters.apply(snapshotOf(app([A, B], roundRobin)));
  const cluster = clusters.get('app.default:80')!;
  t.equal(new Set(Array.from({ length: 4 }, () => cluster.pick(undefined)?.address)).size, 2);
  clusters.apply(snapshotOf(app([B], roundRobin)));
  t.same(new Set(Array.from({ length: 4 }, () => cluster.pick(undefined)?.address)), new Set([B.address]));
  t.equal(cluster.policy.loadBalancer, 'roundRobin');
  t.end();
});

t.test('an ejection holds from the next picker on', t => {
  const { clusters } = start();
  clusters.apply(snapshotOf(app()));
  const cluster = clusters.get('app.default:80')!;
  cluster.endpoints[0]!.changeHealth('healthy', 'ejected');
  cluster.repick();
  for (let i = 0; i < 20; i++) t.equal(cluster.pick(undefined)?.address, B.address);
  t.end();
});

t.test('endpoints of one snapshot are equally new', t => {
  const { clusters, clock } = start();
  clusters.apply(snapshotOf(app([A])));
  clock.advance(500);
  clusters.apply(snapshotOf(app([A, B, endpointView('10.0.0.3:15006')])));
  t.same(
    clusters.get('app.default:80')!.endpoints.map(({ addedAtMs }) => addedAtMs),
    [0, 500, 500],
  );
  t.end();
});

t.test('a retry budget is kept while its policy is the same', t => {
  const { clusters } = start();
  clusters.apply(snapshotOf(app()));
  const cluster = clusters.get('app.default:80')!;
  const { budget } = cluster;
  clusters.apply(snapshotOf(app([B])));
  t.equal(cluster.budget, budget);
  const policy = { ...DEFAULT_POLICY, retryBudget: { ratio: 0.5, minRetries: 1, windowMs: 1_000 } };
  clusters.apply(snapshotOf(app([B], [portView(80, { policy })])));
  t.not(cluster.budget, budget);
  t.end();
});

t.test('the fields for the link are the same object for the same port and route', t => {
  const { clusters } = start();
  clusters.apply(snapshotOf(app()));
  const cluster = clusters.get('app.default:80')!;
  const link = cluster.linkInfo(8_080, 'default/route/0');
  t.match(link, { to: 'app.default', port: 8_080, route: 'default/route/0' });
  t.equal(cluster.linkInfo(8_080, 'default/route/0'), link);
  t.not(cluster.linkInfo(8_081, 'default/route/0'), link);
  t.end();
});

t.test('a service is in use when something was picked since one asked, or is under way', t => {
  const { clusters } = start();
  clusters.apply(snapshotOf(app()));
  t.notOk(clusters.inUse('app.default'));
  clusters.get('app.default:9090')!.pick(undefined);
  t.ok(clusters.inUse('app.default'));
  t.notOk(clusters.inUse('app.default'), 'asking begins anew');
  clusters.get('app.default:80')!.breaker.force('requests');
  t.ok(clusters.inUse('app.default'));
  t.notOk(clusters.inUse('other.default'));
  t.end();
});

t.test('the clusters of two workers count, probe and are in use together', t => {
  const clock = manualClock();
  const shared = new SharedCells();
  const received = new ReceivedCells();
  const probed: string[] = [];
  const onProbe = (_cluster: unknown, { address }: Endpoint): void => void probed.push(address);
  const parts = { clock, random: seededRandom(1) };
  const first = new Clusters({ ...parts, cells: shared.of, onProbe }, () => {});
  const second = new Clusters({ ...parts, cells: received.of }, () => {});
  const apply = (snapshot: ReturnType<typeof snapshotOf>): void => {
    first.apply(snapshot);
    received.receive(shared.take());
    second.apply(snapshot);
  };
  const policy = {
    ...DEFAULT_POLICY,
    circuitBreaker: { ...DEFAULT_POLICY.circuitBreaker, maxRequests: 1 },
    retryBudget: { ratio: 1, minRetries: 0, windowMs: 10_000 },
  };
  apply(snapshotOf(app([A], [portView(80, { policy })])));
  apply(snapshotOf(app([A, B], [portView(80, { policy })])));
  const [one, other] = [first, second].map(clusters => clusters.get('app.default:80')!) as [Cluster, Cluster];
  t.ok(one.breaker.take('requests'));
  t.notOk(other.breaker.take('requests'));
  one.breaker.give('requests');
  one.budget.deposit();
  t.ok(other.budget.withdraw());
  t.notOk(one.budget.withdraw());

  t.notOk(first.inUse('app.default'));
  other.pick(undefined);
  t.ok(first.inUse('app.default'));
  t.notOk(first.inUse('app.default'));

  const bad = one.endpoints[1]!;
  one.probe(bad);
  t.same(probed, [B.address]);
  const same = second.endpoint(bad.key)!;
  other.addProbe(same);
  t.equal(other.pick(undefined), same);
  bad.changeHealth('healthy', 'ejected');
  first.repick(bad);
  second.repick(same);
  for (let i = 0; i < 10; i++) t.equal(one.pick(undefined)?.address, A.address, 'it was probed already');
  for (let i = 0; i < 10; i++) t.equal(other.pick(undefined)?.address, A.address);

  apply(snapshotOf());
  apply(snapshotOf(app([B], [portView(80, { policy })])));
  t.equal(first.get('app.default:80')?.endpoints[0]?.health, 'healthy', 'what is gone and comes again is new');
  t.end();
});
