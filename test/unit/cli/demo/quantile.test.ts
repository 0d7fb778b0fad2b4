import t from 'tap';
import { quantile } from '../../../../cli/demo/quantile.ts';

t.test('a quantile is interpolated within its bucket', t => {
  const buckets = new Map([
    [0.1, 50],
    [0.2, 100],
    [Number.POSITIVE_INFINITY, 100],
  ]);
  t.equal(quantile(buckets, 0.5), 0.1);
  t.ok(Math.abs(quantile(buckets, 0.75) - 0.15) < 1e-9);
  t.equal(
    quantile(
      new Map([
        [0.1, 0],
        [Number.POSITIVE_INFINITY, 5],
      ]),
      0.5,
    ),
    0.1,
    'beyond the last bound: that bound',
  );
  t.equal(quantile(new Map(), 0.5), 0, 'nothing was measured');
  t.equal(
    quantile(
      new Map([
        [0.1, 0],
        [Number.POSITIVE_INFINITY, 0],
      ]),
      0.5,
    ),
    0,
  );
  t.end();
});
