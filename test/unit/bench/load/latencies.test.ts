import fc from 'fast-check';
import t from 'tap';
import { Latencies } from '../../../../bench/load/latencies.ts';

t.test('percentiles are at most 1.6 % above the exact ones', t => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 30_000_000 }), { minLength: 1 }),
      fc.constantFrom(0.5, 0.99, 1),
      (values, share) => {
        const latencies = new Latencies();
        for (const value of values) latencies.add(value);
        const exact = values.toSorted((x, y) => x - y)[Math.ceil(values.length * share) - 1]!;
        const found = latencies.percentile(share);
        return found >= exact && found <= exact * 1.016;
      },
    ),
  );
  t.end();
});

t.test('without latencies every percentile is 0', t => {
  t.equal(new Latencies().percentile(0.99), 0);
  t.end();
});

t.test('latencies beyond 30 seconds count as 30 seconds', t => {
  const latencies = new Latencies();
  latencies.add(1e12);
  t.ok(latencies.percentile(0.5) >= 30_000_000);
  t.end();
});
