import t from 'tap';
import { manualClock } from '../../../common/clock.ts';
import { setWallTimer } from '../../../common/wall-timer.ts';

const start = (atWallMs: number) => {
  const clock = manualClock(1_000_000);
  const fired: number[] = [];
  const timer = setWallTimer(clock, atWallMs, () => fired.push(clock.wallMs()));
  return { clock, fired, timer };
};

t.test('it fires at its time, also one that is months away, and once', t => {
  for (const ms of [1, 59_999, 60_000, 100 * 86_400_000]) {
    const { clock, fired } = start(1_000_000 + ms);
    clock.advance(ms - 1);
    t.same(fired, []);
    clock.advance(1);
    clock.advance(600_000);
    t.same(fired, [1_000_000 + ms]);
    t.equal(clock.pending, 0);
  }
  t.end();
});

t.test('a time that is past fires at the next turn', t => {
  const { clock, fired } = start(5);
  t.same(fired, []);
  clock.advance(0);
  t.same(fired, [1_000_000]);
  t.end();
});

t.test('a wall clock that was set forward is noticed within a minute, one that was set back is waited for', t => {
  const forward = start(1_000_000 + 3_600_000);
  forward.clock.jump(3_600_000);
  forward.clock.advance(60_000);
  t.equal(forward.fired.length, 1);
  const back = start(1_000_000 + 10_000);
  back.clock.jump(-30_000);
  back.clock.advance(39_999);
  t.same(back.fired, []);
  back.clock.advance(1);
  t.same(back.fired, [1_010_000]);
  t.end();
});

t.test('one that was cancelled does not fire', t => {
  const { clock, fired, timer } = start(1_000_000 + 120_000);
  clock.advance(90_000);
  timer.cancel();
  clock.advance(90_000);
  t.same(fired, []);
  t.equal(clock.pending, 0);
  t.end();
});
