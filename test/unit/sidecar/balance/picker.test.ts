import fc from 'fast-check';
import t from 'tap';
import { DEFAULT_POLICY } from '../../../../api/snapshot.ts';
import type { Endpoint } from '../../../../sidecar/upstream/endpoint.ts';
import { ALGORITHMS, endpointsOf, pickerOf, sharesOf } from './endpoints.fixture.ts';

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: shares follow the weights while all instances do alike`, t => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
        fc.nat(1_000),
        (weights, seed) => {
          const endpoints = endpointsOf(...weights);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const shares = sharesOf(pickerOf(endpoints, algorithm, {}, seed), endpoints, 4_000);
          for (const [at, weight] of weights.entries())
            t.ok(Math.abs(shares[at]! - (weight * 100) / total) < 4, `${weights.join()}: ${shares.join()}`);
        },
      ),
      { numRuns: 25 },
    );
    t.end();
  });

  t.test(`${algorithm}: an instance without weight gets nothing`, t => {
    const endpoints = endpointsOf(0, 1, 0, 1);
    const shares = sharesOf(pickerOf(endpoints, algorithm), endpoints, 500);
    t.same([shares[0], shares[2]], [0, 0]);
    t.equal(pickerOf(endpointsOf(0, 0), algorithm).pick(0, undefined), undefined, 'and when none has any, nobody does');
    t.end();
  });

  t.test(`${algorithm}: an ejected instance gets nothing`, t => {
    const endpoints = endpointsOf(1, 1, 1);
    endpoints[1]!.changeHealth('healthy', 'ejected');
    const shares = sharesOf(pickerOf(endpoints, algorithm), endpoints, 500);
    t.equal(shares[1], 0);
    t.ok(shares[0]! > 30 && shares[2]! > 30);
    t.end();
  });

  t.test(`${algorithm}: without instances there is none to pick`, t => {
    t.equal(pickerOf([], algorithm).pick(0, undefined), undefined);
    t.end();
  });

  t.test(`${algorithm}: a retry goes to another instance, and to the same only when it is alone`, t => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 2, maxLength: 5 }),
        fc.nat(100),
        (weights, seed) => {
          const endpoints = endpointsOf(...weights);
          const picker = pickerOf(endpoints, algorithm, {}, seed);
          for (let i = 0; i < 20; i++) {
            const tried = picker.pick(i, undefined) as Endpoint;
            t.not(picker.pick(i, tried), tried);
          }
        },
      ),
      { numRuns: 50 },
    );
    const [alone] = endpointsOf(1);
    t.equal(pickerOf([alone!], algorithm).pick(0, alone), alone);
    t.end();
  });

  t.test(
    `${algorithm}: an instance that joins others begins with a tenth of its share and has all of it after ten seconds`,
    t => {
      const endpoints = endpointsOf(1, 1, 1, 1);
      const joined = Object.assign(endpointsOf(1)[0]!, { addedAtMs: 1e6 });
      const all = [...endpoints, joined];
      // The latencies are known, so that nothing but the slow start holds it back.
      for (const endpoint of all) endpoint.latency.observe(5, false, 1e6);
      const shareAt = (nowMs: number): number => sharesOf(pickerOf(all, algorithm), all, 3_000, nowMs)[4]!;
      const [first, half, full] = [shareAt(1e6), shareAt(1e6 + 5_000), shareAt(1e6 + 10_000)];
      t.ok(first < 5, `${first} % at first`);
      t.ok(half > first && half < full, `${half} % half way`);
      t.ok(Math.abs(full - 20) < 3, `${full} % in the end`);
      t.end();
    },
  );

  t.test(`${algorithm}: instances that all came together are not held back`, t => {
    const endpoints = endpointsOf(1, 1).map(endpoint => Object.assign(endpoint, { addedAtMs: 1e6 }));
    for (const share of sharesOf(pickerOf(endpoints, algorithm), endpoints, 1_000)) t.ok(Math.abs(share - 50) < 5);
    t.end();
  });

  t.test(`${algorithm}: when too few instances are healthy, ejection is ignored`, t => {
    const endpoints = endpointsOf(1, 1, 1, 1);
    const outlierDetection = { ...DEFAULT_POLICY.outlierDetection!, panicThresholdPercent: 50 };
    const sharesWith = (ejected: number): number[] => {
      for (const [at, endpoint] of endpoints.entries())
        endpoint.changeHealth(endpoint.health, at < ejected ? 'ejected' : 'healthy');
      return sharesOf(pickerOf(endpoints, algorithm, { outlierDetection }), endpoints, 800);
    };
    t.same(sharesWith(2).slice(0, 2), [0, 0], 'half of them are enough');
    for (const share of sharesWith(3)) t.ok(share > 15, 'a quarter is not');
    for (const share of sharesWith(4)) t.ok(share > 15, 'nor is none');
    t.end();
  });
}

t.test('with a panic threshold of 0 nobody is left when all are ejected', t => {
  const endpoints = endpointsOf(1, 1);
  for (const endpoint of endpoints) endpoint.changeHealth('healthy', 'ejected');
  const outlierDetection = { ...DEFAULT_POLICY.outlierDetection!, panicThresholdPercent: 0 };
  t.equal(pickerOf(endpoints, 'random', { outlierDetection }).pick(0, undefined), undefined);
  t.end();
});
