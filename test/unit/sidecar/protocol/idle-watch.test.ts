import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { BUSY, IdleWatch } from '../../../../sidecar/protocol/idle-watch.ts';

t.test('a connection without activity is idle after the timeout, one that works is not', t => {
  const clock = manualClock();
  let activity = 0;
  let idle = 0;
  const watch = new IdleWatch(
    clock,
    4_000,
    () => activity,
    () => {
      idle++;
    },
  );
  clock.advance(3_999);
  t.equal(idle, 0);
  activity++;
  clock.advance(4_000);
  t.equal(idle, 0, 'something happened');
  clock.advance(1_000);
  t.equal(idle, 1);
  activity = BUSY;
  clock.advance(100_000);
  t.equal(idle, 1, 'at work all the time');
  activity = 2;
  watch.stop();
  clock.advance(100_000);
  t.equal(idle, 1);
  t.equal(clock.pending, 0);
  t.end();
});
