import fc from 'fast-check';
import t from 'tap';
import { renewalDelayMs, renewalRetryMs } from '../../../certs/renewal.ts';

const HOUR_MS = 3_600_000;
const life = { sinceMs: 1_000_000, notAfterMs: 1_000_000 + 24 * HOUR_MS };

t.test('a certificate is renewed at half of its life, give or take 5 % of it', t => {
  t.equal(
    renewalDelayMs(life, life.sinceMs, () => 0.5),
    12 * HOUR_MS,
  );
  t.equal(
    renewalDelayMs(life, life.sinceMs, () => 0),
    0.45 * 24 * HOUR_MS,
  );
  t.ok(renewalDelayMs(life, life.sinceMs, () => 0.999999) < 0.55 * 24 * HOUR_MS);
  t.equal(
    renewalDelayMs(life, life.sinceMs + 11 * HOUR_MS, () => 0.5),
    HOUR_MS,
  );
  t.equal(
    renewalDelayMs(life, life.sinceMs + 20 * HOUR_MS, () => 0.5),
    0,
  );
  t.equal(
    renewalDelayMs(life, life.notAfterMs + HOUR_MS, () => 0.5),
    0,
  );
  t.end();
});

t.test('failed renewals are repeated after 1 s, 2 s, 4 s, … up to 5 min, half of it by chance', t => {
  const pauses = [1, 2, 3, 9, 10, 500].map(failures => renewalRetryMs(failures, 12 * HOUR_MS, () => 1));
  t.same(pauses, [1_000, 2_000, 4_000, 256_000, 300_000, 300_000]);
  t.equal(
    renewalRetryMs(3, 12 * HOUR_MS, () => 0),
    2_000,
  );
  t.end();
});

t.test('near the end there are still several tries, and after it they go on at their slowest', t => {
  t.equal(
    renewalRetryMs(10, 40_000, () => 1),
    10_000,
  );
  t.equal(
    renewalRetryMs(10, 100, () => 1),
    1_000,
  );
  t.equal(
    renewalRetryMs(10, -1, () => 1),
    300_000,
  );
  t.end();
});

t.test('no pause is shorter than half a second or longer than five minutes', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2_000 }),
      fc.integer({ min: -HOUR_MS, max: 48 * HOUR_MS }),
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      (failures, leftMs, chance) => {
        const pause = renewalRetryMs(failures, leftMs, () => chance);
        t.ok(pause >= 500 && pause <= 300_000);
      },
    ),
  );
  t.end();
});
