import t from 'tap';
import type { HealthCheckView } from '../../../../api/snapshot.ts';
import { manualClock } from '../../../../common/clock.ts';
import { type CheckState, HealthChecker, RECOVERY_INTERVAL_MS } from '../../../../sidecar/health/health-checker.ts';
import { BAD, checkView, fakeProbe, OK } from './checks.fixture.ts';

const start = (view: Partial<HealthCheckView> = {}, initial: CheckState = 'passing', random = () => 0.5) => {
  const clock = manualClock();
  const fake = fakeProbe();
  const changes: string[] = [];
  const checker = new HealthChecker({
    view: checkView(view),
    probe: fake.probe,
    initial,
    clock,
    random,
    onChange: ({ state, cause }) => changes.push(`${state}: ${cause}`),
  });
  /** One result after the other, each as soon as it is asked for. */
  const results = async (...all: (typeof OK)[]) => {
    for (const result of all) {
      await fake.answer(result);
      clock.advance(10_000);
    }
  };
  return { clock, fake, checker, changes, results };
};

t.test('an app that passes is asked at once, and then at every interval', async t => {
  const { clock, fake, checker } = start({ intervalMs: 2_000 });
  t.equal(fake.signals.length, 1);
  await fake.answer(OK);
  clock.advance(1_999);
  t.equal(fake.signals.length, 1);
  clock.advance(1);
  t.equal(fake.signals.length, 2);
  t.equal(checker.state, 'passing');
});

t.test('pauses differ by up to a tenth', async t => {
  for (const [chance, pauseMs] of [
    [0, 900],
    [1, 1_100],
  ] as const) {
    const { clock, fake } = start({}, 'passing', () => chance);
    await fake.answer(OK);
    clock.advance(pauseMs - 1);
    t.equal(fake.signals.length, 1);
    clock.advance(2);
    t.equal(fake.signals.length, 2, `${pauseMs} ms`);
  }
});

t.test('as many failures in a row as the threshold says take traffic away, fewer do not', async t => {
  const { checker, changes, results } = start({ unhealthyThreshold: 3 });
  await results(BAD, BAD, OK, BAD, BAD);
  t.same(changes, []);
  await results(BAD);
  t.same(changes, ['failing: status 503']);
  t.equal(checker.state, 'failing');
  await results(BAD, BAD, BAD);
  t.equal(changes.length, 1, 'more of them change nothing');
});

t.test('as many successes in a row as the threshold says give it back', async t => {
  const { changes, results } = start({ healthyThreshold: 2 }, 'failing');
  await results(OK, BAD, OK);
  t.same(changes, []);
  await results(OK);
  t.same(changes, ['passing: status 200']);
});

t.test('an app that has not passed yet passes with its first success, and fails as any other', async t => {
  const fresh = start({ healthyThreshold: 5 }, 'pending');
  await fresh.results(BAD, BAD);
  t.equal(fresh.checker.state, 'pending');
  await fresh.results(OK);
  t.same(fresh.changes, ['passing: status 200']);
  const broken = start({ unhealthyThreshold: 2 }, 'pending');
  await broken.results(BAD, BAD);
  t.same(broken.changes, ['failing: status 503'], 'and the log says so');
});

t.test('what does not pass is asked soon again, however long the interval', async t => {
  const { clock, fake } = start({ intervalMs: 60_000 }, 'failing');
  await fake.answer(BAD);
  clock.advance(RECOVERY_INTERVAL_MS);
  t.equal(fake.signals.length, 2);
  const quick = start({ intervalMs: 100 }, 'failing');
  await quick.fake.answer(BAD);
  quick.clock.advance(100);
  t.equal(quick.fake.signals.length, 2, 'a shorter interval stays');
});

t.test('a check without an answer in time has failed, and its late answer counts for nothing', async t => {
  const { clock, fake, checker, changes } = start({ timeoutMs: 300, unhealthyThreshold: 1 });
  clock.advance(299);
  t.notOk(fake.signals[0]?.aborted);
  clock.advance(1);
  t.ok(fake.signals[0]?.aborted, 'it lets go');
  t.same(changes, ['failing: no answer within 300 ms']);
  await fake.answer(OK);
  t.same(checker.results, { success: 0, failure: 0, timeout: 1 });
  clock.advance(RECOVERY_INTERVAL_MS);
  await fake.answer(OK);
  t.same(checker.results, { success: 1, failure: 0, timeout: 1 });
  t.equal(checker.state, 'passing');
});

t.test('one that is let go asks no more, and hears no more', async t => {
  const { clock, fake, checker, changes } = start({ unhealthyThreshold: 1 });
  checker[Symbol.dispose]();
  t.ok(fake.signals[0]?.aborted);
  await fake.answer(BAD);
  clock.advance(100_000);
  t.same(changes, []);
  t.equal(fake.signals.length, 1);
  t.equal(clock.pending, 0);
});
