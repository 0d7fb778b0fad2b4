import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { PostedLines } from '../../../../sidecar/workers/posted-lines.ts';

t.test('the lines of a turn go out together, in order, and a flush sends what waits', async t => {
  const posted: (readonly string[])[] = [];
  const lines = new PostedLines(batch => void posted.push(batch));
  lines.write('one\n');
  lines.write('two\n');
  t.same(posted, []);
  await setImmediate();
  t.same(posted, [['one\n', 'two\n']]);
  lines.write('three\n');
  lines.flush();
  t.same(posted.slice(1), [['three\n']]);
  await setImmediate();
  t.equal(posted.length, 2, 'and nothing twice');
});
