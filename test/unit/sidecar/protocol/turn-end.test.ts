import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { atTurnEnd } from '../../../../sidecar/protocol/turn-end.ts';

t.test('what is put off is done at the end of the turn, in order, and what that puts off a turn later', async t => {
  const done: string[] = [];
  atTurnEnd(() => {
    done.push('first');
    atTurnEnd(() => done.push('next turn'));
  });
  await Promise.resolve();
  atTurnEnd(() => done.push('second'));
  t.same(done, []);
  await setImmediate();
  t.same(done, ['first', 'second']);
  await setImmediate();
  t.same(done, ['first', 'second', 'next turn']);
});
