import fc from 'fast-check';
import t from 'tap';
import { Backoff } from '../../../common/backoff.ts';
import { seededRandom } from '../../../common/random.ts';

t.test('pauses lie between 0 and a bound that doubles up to the longest', t => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 60_000 }),
      (seed, baseMs, maxMs) => {
        const backoff = new Backoff({ baseMs, maxMs }, seededRandom(seed));
        for (let n = 0; n < 70; n++) {
          const pause = backoff.next();
          if (!(pause >= 0 && pause <= Math.min(maxMs, baseMs * 2 ** n))) return false;
        }
        return true;
      },
    ),
  );
  t.end();
});

t.test('the whole range is used, and a success begins anew', t => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000 }, () => 0.999);
  t.same(
    [1, 2, 3, 4, 5, 6].map(() => Math.round(backoff.next())),
    [100, 200, 400, 799, 999, 999],
  );
  backoff.reset();
  t.equal(Math.round(backoff.next()), 100);
  t.end();
});
