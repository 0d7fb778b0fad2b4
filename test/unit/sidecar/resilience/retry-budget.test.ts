import fc from 'fast-check';
import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { BUDGET_COUNTS, RetryBudget } from '../../../../sidecar/resilience/retry-budget.ts';

const budget = (ratio: number, minRetries: number, clock = manualClock()) =>
  new RetryBudget({ ratio, minRetries, windowMs: 10_000 }, clock);

t.test('a budget of 20 % pays for one retry per five requests', t => {
  const own = budget(0.2, 0);
  for (let i = 0; i < 4; i++) own.deposit();
  t.notOk(own.withdraw());
  own.deposit();
  t.ok(own.withdraw());
  t.notOk(own.withdraw());
  t.end();
});

t.test('there is always the least number of retries', t => {
  const own = budget(0.2, 3);
  t.same(
    [1, 2, 3, 4].map(() => own.withdraw()),
    [true, true, true, false],
  );
  t.end();
});

t.test('requests and retries older than the window do not count', t => {
  const clock = manualClock();
  const own = budget(0.5, 0, clock);
  for (let i = 0; i < 10; i++) own.deposit();
  for (let i = 0; i < 5; i++) own.withdraw();
  clock.advance(9_000);
  own.deposit();
  own.deposit();
  t.ok(own.withdraw());
  t.notOk(own.withdraw());
  clock.advance(1_000);
  t.notOk(own.withdraw(), 'the first requests are forgotten, and so are their retries');
  own.deposit();
  own.deposit();
  t.ok(own.withdraw());
  clock.advance(1e9);
  t.notOk(own.withdraw());
  t.end();
});

t.test('in any window of any traffic retries stay within the budget', t => {
  const step = fc.record({ pauseMs: fc.nat(3_000), requests: fc.nat(30), tries: fc.nat(30) });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.integer({ min: 0, max: 100 }),
      fc.nat(5),
      (steps, percent, min) => {
        const clock = manualClock();
        const own = budget(percent / 100, min, clock);
        const requests: number[] = [];
        const retries: number[] = [];
        for (const { pauseMs, requests: count, tries } of steps) {
          clock.advance(pauseMs);
          for (let i = 0; i < count; i++) {
            own.deposit();
            requests.push(clock.nowMs());
          }
          for (let i = 0; i < tries; i++) if (own.withdraw()) retries.push(clock.nowMs());
          // The window moves in slots of a tenth, so at least nine tenths of it are seen.
          const since = (at: readonly number[], ms: number) => at.filter(each => each > clock.nowMs() - ms).length;
          const allowed = Math.max(min, (percent / 100) * since(requests, 10_000));
          if (retries.at(-1) === clock.nowMs() && since(retries, 9_000) > allowed + 1e-9) return false;
        }
        return true;
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('requests of all workers pay, and retries of all workers are paid', t => {
  const clock = manualClock();
  const counts = new Int32Array(new SharedArrayBuffer(BUDGET_COUNTS * 4));
  const view = { ratio: 0.5, minRetries: 0, windowMs: 10_000 };
  const [one, other] = [0, 1].map(() => new RetryBudget(view, clock, counts)) as [RetryBudget, RetryBudget];
  one.deposit();
  t.notOk(other.withdraw());
  other.deposit();
  t.ok(other.withdraw());
  t.notOk(one.withdraw());
  clock.advance(10_000);
  one.deposit();
  t.notOk(one.withdraw(), 'the first to come in a new slot empties it for both');
  other.deposit();
  t.ok(one.withdraw());
  t.end();
});
