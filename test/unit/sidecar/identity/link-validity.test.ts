import fc from 'fast-check';
import t from 'tap';
import { replaceMarginMs } from '../../../../sidecar/identity/link-validity.ts';

t.test(
  'a connection is replaced when a tenth of the certificates is left, of short ones 5 s, at most three quarters',
  t => {
    for (const [leftMs, marginMs] of [
      [24 * 3_600_000, 2.4 * 3_600_000],
      [60_000, 6_000],
      [27_000, 5_000],
      [6_000, 4_500],
      [2_200, 1_650],
      [1_000, 750],
    ] as const)
      t.equal(replaceMarginMs(leftMs), marginMs, `${leftMs} ms left`);
    t.end();
  },
);

t.test('a connection takes requests for at least a quarter of what its certificates have left, and never longer', t => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), leftMs => {
      const margin = replaceMarginMs(leftMs);
      return margin >= 0 && margin <= leftMs * 0.75;
    }),
  );
  t.end();
});
