import t from 'tap';
import { manualClock, systemClock } from '../../../common/clock.ts';

t.test('a manual clock fires timers in order of time, then of setting, with the time they were set for', t => {
  const clock = manualClock(1_000_000);
  const fired: string[] = [];
  clock.setTimer(20, () => fired.push(`late at ${clock.nowMs()}`));
  clock.setTimer(10, () => fired.push(`first at ${clock.nowMs()}`));
  clock.setTimer(10, () => fired.push(`second at ${clock.nowMs()}`));
  clock.advance(9);
  t.same(fired, []);
  clock.advance(11);
  t.same(fired, ['first at 10', 'second at 10', 'late at 20']);
  t.equal(clock.wallMs(), 1_000_020);
  t.equal(clock.pending, 0);
  t.end();
});

t.test('a timer that a timer sets fires in the same advance when it is due', t => {
  const clock = manualClock();
  let at = -1;
  clock.setTimer(5, () => {
    clock.setTimer(5, () => {
      at = clock.nowMs();
    });
  });
  clock.advance(100);
  t.equal(at, 10);
  t.equal(clock.nowMs(), 100);
  t.end();
});

t.test('a cancelled timer never fires, and a jump of the wall clock moves no timer', t => {
  const clock = manualClock();
  const timer = clock.setTimer(1, () => t.fail('it was cancelled'));
  clock.setTimer(50, () => t.fail('it is not due'));
  timer.cancel();
  clock.jump(1_000);
  clock.advance(10);
  t.equal(clock.nowMs(), 10);
  t.equal(clock.wallMs(), 1_010);
  t.equal(clock.pending, 1);
  t.end();
});

t.test('the system clock is monotonic, tells the date, and fires and cancels timers', async t => {
  const before = systemClock.nowMs();
  systemClock.setTimer(0, () => t.fail('it was cancelled')).cancel();
  const keepAlive = setInterval(() => {}, 1_000);
  await new Promise<void>(resolve => systemClock.setTimer(1, resolve));
  clearInterval(keepAlive);
  t.ok(systemClock.nowMs() > before);
  t.ok(Math.abs(systemClock.wallMs() - Date.now()) < 1_000);
});
