import t from 'tap';
import type { HealthCheckView, Snapshot } from '../../../../api/snapshot.ts';
import { manualClock } from '../../../../common/clock.ts';
import { Watched } from '../../../../common/watch.ts';
import { Readiness } from '../../../../sidecar/admin/readiness.ts';
import { EMPTY_SNAPSHOT } from '../../../../sidecar/discovery/snapshot-store.ts';
import { HealthChecks } from '../../../../sidecar/health/health-checks.ts';
import { BAD, checkView, type FakeProbe, fakeProbe, OK } from './checks.fixture.ts';

const snapshotWith = (...healthChecks: HealthCheckView[]): Snapshot => ({
  ...EMPTY_SNAPSHOT,
  configVersion: '1',
  healthChecks,
});

const setUp = (first: Snapshot = EMPTY_SNAPSHOT) => {
  const clock = manualClock();
  const snapshots = new Watched<Snapshot>(first);
  const readiness = new Readiness();
  const log: string[] = [];
  const write = (message: string, fields: object = {}): void => {
    log.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  const probes = new Map<number, FakeProbe>();
  const told: string[] = [];
  const checks: HealthChecks = new HealthChecks({
    snapshots,
    appAddress: '127.0.0.1',
    readiness,
    clock,
    random: () => 0.5,
    log: logger,
    onChange: () => told.push(checks.reason),
    probeOf: ({ port }) => {
      const fake = fakeProbe();
      probes.set(port, fake);
      return fake.probe;
    },
  });
  const answer = async (port: number, result: typeof OK) => {
    await probes.get(port)?.answer(result);
    clock.advance(1_000);
  };
  return { clock, snapshots, readiness, log, told, checks, probes, answer };
};

t.test('without a declared check nothing is asked, and nothing holds readiness back', t => {
  const { readiness, checks, snapshots } = setUp();
  snapshots.set(snapshotWith());
  t.same(checks.all(), []);
  t.ok(readiness.state().ready);
  t.equal(checks.reason, '');
  t.end();
});

t.test('an app that is checked from the start is not ready before it has passed', async t => {
  for (const setting of ['in the state folder', 'from the control plane'] as const) {
    const inFolder = setting === 'in the state folder';
    const world = setUp(inFolder ? snapshotWith(checkView()) : EMPTY_SNAPSHOT);
    if (!inFolder) world.snapshots.set(snapshotWith(checkView()));
    const reason = 'The app has not passed its health check on port 8080 (TCP connection) yet.';
    t.same(world.readiness.state(), { ready: false, reasons: [reason] }, setting);
    t.equal(world.checks.reason, reason);
    await world.answer(8080, OK);
    t.ok(world.readiness.state().ready);
    t.equal(world.told.at(-1), '');
  }
});

t.test('a check that is declared later begins with the app as it is', async t => {
  const { readiness, snapshots, told, answer } = setUp();
  snapshots.set(snapshotWith());
  snapshots.set(snapshotWith(checkView({ unhealthyThreshold: 2 })));
  t.ok(readiness.state().ready);
  await answer(8080, BAD);
  t.ok(readiness.state().ready);
  await answer(8080, BAD);
  t.notOk(readiness.state().ready);
  t.same(told, ['The app fails its health check on port 8080 (TCP connection): status 503.']);
});

t.test('a check that changes keeps its state, one that goes takes its condition along', async t => {
  const { readiness, snapshots, checks, answer, told } = setUp();
  snapshots.set(snapshotWith());
  snapshots.set(snapshotWith(checkView({ unhealthyThreshold: 1 })));
  await answer(8080, BAD);
  const [before] = checks.all();
  snapshots.set(snapshotWith(checkView({ unhealthyThreshold: 1 })));
  t.equal(checks.all()[0], before, 'the same check goes on');
  snapshots.set(snapshotWith(checkView({ unhealthyThreshold: 7 })));
  t.not(checks.all()[0], before);
  t.equal(checks.all()[0]?.state, 'failing');
  t.notOk(readiness.state().ready);
  snapshots.set(snapshotWith());
  t.ok(readiness.state().ready);
  t.equal(told.at(-1), '');
});

t.test('all checks must pass; each change is a line with its cause', async t => {
  const { readiness, snapshots, checks, answer, log } = setUp();
  snapshots.set(snapshotWith());
  const http: HealthCheckView['probe'] = {
    kind: 'http',
    path: '/healthz',
    authority: '',
    headers: [],
    statuses: [[200, 299]],
    http2: false,
  };
  snapshots.set(
    snapshotWith(
      checkView({ unhealthyThreshold: 1, probe: http }),
      checkView({ port: 9090, unhealthyThreshold: 1, probe: { kind: 'grpc', service: 'shop.Cart' } }),
    ),
  );
  await answer(8080, BAD);
  await answer(9090, BAD);
  t.equal(readiness.state().reasons.length, 2);
  t.match(checks.reason, 'port 8080');
  await answer(8080, OK);
  t.match(checks.reason, 'The app fails its health check on port 9090 (gRPC health of shop.Cart): status 503.');
  await answer(9090, OK);
  t.ok(readiness.state().ready);
  t.same(log, [
    'The app fails its health check. {"port":8080,"check":"GET /healthz","cause":"status 503","failures":1}',
    'The app fails its health check. {"port":9090,"check":"gRPC health of shop.Cart","cause":"status 503","failures":1}',
    'The app passes its health check. {"port":8080,"check":"GET /healthz","cause":"status 200"}',
    'The app passes its health check. {"port":9090,"check":"gRPC health of shop.Cart","cause":"status 200"}',
  ]);
});

t.test('closing ends every check', async t => {
  const { checks, clock, snapshots, probes } = setUp(snapshotWith(checkView()));
  checks[Symbol.dispose]();
  t.equal(clock.pending, 0);
  t.ok(probes.get(8080)?.signals[0]?.aborted);
  snapshots.set(snapshotWith(checkView({ port: 1 })));
  t.notOk(probes.has(1));
});
