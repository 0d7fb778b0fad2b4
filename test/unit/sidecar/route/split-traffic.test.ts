import fc from 'fast-check';
import t from 'tap';
import { splitTraffic } from '../../../../sidecar/route/split-traffic.ts';

t.test('70 and 30 of a hundred evenly spread points', t => {
  const counts = [0, 0];
  for (let i = 0; i < 100; i++) counts[splitTraffic([70, 30], i / 100)]! += 1;
  t.same(counts, [70, 30]);
  t.end();
});

t.test('a backend without weight gets nothing', t => {
  for (let i = 0; i < 100; i++) t.equal(splitTraffic([0, 5, 0], i / 100), 1);
  t.equal(splitTraffic([1, 0], 1 - Number.EPSILON / 2), 0, 'not even by rounding');
  t.end();
});

t.test('without any weight nothing is chosen', t => {
  t.equal(splitTraffic([], 0), -1);
  t.equal(splitTraffic([0, 0], 0.5), -1);
  t.end();
});

t.test('every share is its weight, whatever the weights', t => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 6 }), weights => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      fc.pre(total > 0);
      const points = 2_000;
      const counts = weights.map(() => 0);
      for (let i = 0; i < points; i++) counts[splitTraffic(weights, (i + 0.5) / points)]! += 1;
      for (const [at, weight] of weights.entries()) t.ok(Math.abs(counts[at]! - (points * weight) / total) <= 1.001);
    }),
    { numRuns: 50 },
  );
  t.end();
});
