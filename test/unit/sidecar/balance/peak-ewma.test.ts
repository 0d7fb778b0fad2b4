import fc from 'fast-check';
import t from 'tap';
import { PeakEwma } from '../../../../sidecar/balance/peak-ewma.ts';

/** Its first answers are all like the first sample. */
const known = (...samples: readonly (readonly [durationMs: number, atMs: number, failed?: boolean])[]): PeakEwma => {
  const latency = new PeakEwma();
  const [[durationMs, atMs, failed = false] = [0, 0]] = samples;
  for (let i = 0; i < 2; i++) latency.observe(durationMs, failed, atMs);
  for (const [durationMs, atMs, failed = false] of samples) latency.observe(durationMs, failed, atMs);
  return latency;
};
const near = (got: number, expected: number): boolean => Math.abs(got - expected) < 1e-6;

t.test('the first sample is the latency', t => {
  t.equal(known([20, 5_000]).currentMs(5_000), 20);
  t.equal(new PeakEwma().currentMs(5_000), 0, 'and before it nothing is known');
  t.end();
});

t.test('the best of the first three answers is the latency, and until then one request is free', t => {
  const latency = new PeakEwma();
  for (const durationMs of [80, 5, 20]) {
    t.equal(latency.cost(0, 0), 0);
    latency.observe(durationMs, false, 0);
    t.ok(latency.cost(1, 0) >= 10, 'and a second one is not');
  }
  t.equal(latency.cost(0, 0), 5);
  const failed = new PeakEwma();
  failed.observe(5, true, 0);
  t.equal(failed.cost(0, 0), 1_000, 'a failure is enough');
  t.end();
});

t.test('a peak is believed at once', t => {
  t.equal(known([5, 0], [80, 1]).currentMs(1), 80);
  t.end();
});

t.test('a better sample moves the average by 1 − e^(−Δt/10 s)', t => {
  const keep = Math.exp(-0.1);
  t.ok(near(known([100, 0], [10, 1_000]).currentMs(1_000), 100 * keep + 10 * (1 - keep)));
  t.equal(known([100, 0], [10, 0]).currentMs(0), 100, 'at the same moment it says nothing');
  t.end();
});

t.test('without news a peak fades, but never to nothing', t => {
  const latency = known([1_000, 0]);
  t.ok(near(latency.currentMs(10_000), 1_000 / Math.E));
  t.equal(latency.currentMs(1e9), 0.1);
  t.end();
});

t.test('a fast failure counts as a second', t => {
  t.equal(known([2, 0, true]).currentMs(0), 1_000);
  t.equal(known([3_000, 0, true]).currentMs(0), 3_000, 'a slow one as what it took');
  t.end();
});

t.test('a stream of an hour counts as ten seconds', t => {
  t.equal(known([3_600_000, 0]).currentMs(0), 10_000);
  t.end();
});

t.test('the cost is the latency for each request under way and for one more', t => {
  t.equal(known([20, 0]).cost(0, 0), 20);
  t.equal(known([20, 0]).cost(3, 0), 80);
  t.end();
});

t.test('an instance that has not answered yet is free for one request and dear for the next', t => {
  const latency = new PeakEwma();
  t.equal(latency.cost(0, 0), 0);
  t.ok(latency.cost(1, 0) > known([10_000, 0]).cost(1_000, 0));
  t.ok(latency.cost(2, 999) > latency.cost(1, 999), 'of two such ones the one with less to do');
  latency.observe(7, false, 999);
  t.equal(latency.cost(1, 999), 14, 'its answer changes that');
  t.end();
});

t.test('an instance that only has long streams is not shut out for ever', t => {
  const latency = new PeakEwma();
  latency.cost(1, 5_000);
  t.ok(latency.cost(1, 5_999) > 1e6);
  t.equal(latency.cost(1, 6_000), 20, 'after a second it counts as one of 10 ms');
  t.end();
});

t.test('a clock that steps back does no harm', t => {
  const latency = known([100, 10_000], [50, 5_000]);
  t.equal(latency.currentMs(0), 100);
  t.end();
});

t.test('silence costs: while answers are awaited, at least the time since the last news', t => {
  const latency = known([2, 1_000]);
  latency.awaits(1_000);
  latency.awaits(1_001);
  t.equal(latency.cost(2, 1_001), latency.currentMs(1_001) * 3, 'not yet');
  t.equal(latency.cost(2, 1_500), 500 * 3);
  t.equal(latency.cost(2, 1e6), 10_000 * 3, 'at most as much as the worst sample');
  latency.answered(100, false, 1_600);
  t.equal(latency.cost(1, 1_600), 100 * 2, 'one answer is news');
  t.equal(latency.cost(1, 1_900), 300 * 2);
  latency.gaveUp();
  t.ok(latency.cost(0, 1_900) <= 100, 'nothing is awaited');
  latency.awaits(5_000);
  t.ok(latency.cost(1, 5_001) < 200, 'and a new wait begins anew');
  t.end();
});

t.test('the latency stays between the least and the greatest sample, and the floor', t => {
  const samples = fc.array(fc.tuple(fc.double({ min: 0, max: 10_000, noNaN: true }), fc.nat(20_000)), { minLength: 1 });
  fc.assert(
    fc.property(samples, steps => {
      let atMs = 0;
      const latency = new PeakEwma();
      for (const [durationMs, passedMs] of steps) {
        atMs += passedMs;
        latency.observe(durationMs, false, atMs);
      }
      const durations = steps.map(([durationMs]) => durationMs);
      const now = latency.currentMs(atMs);
      t.ok(now <= Math.max(0.1, ...durations) + 1e-9);
      t.ok(now >= Math.min(...durations) - 1e-9);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('the penalty of a failure fades, and one success ends it', t => {
  t.ok(near(known([2, 0], [2, 0, true]).currentMs(2_000), 1_000 / Math.E));
  const back = known([2, 0], [2, 1_000, true], [2, 1_001]);
  t.ok(back.currentMs(1_001) <= 2, 'what it took before and after is what counts');
  t.end();
});
