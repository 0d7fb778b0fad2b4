import t from 'tap';
import { memoryOf, parseSmaps } from '../../../../bench/usage/memory.ts';

t.test('smaps_rollup is read in MB of a million bytes', t => {
  const text = 'Rss:              100000 kB\nPss:  1 kB\nPrivate_Clean: 3 kB\nPrivate_Dirty:     50000 kB\n';
  t.same(parseSmaps(text), { residentMb: 102.4, privateDirtyMb: 51.2 });
  t.end();
});

t.test('this process has memory', t => {
  const { privateDirtyMb, residentMb } = memoryOf(process.pid);
  t.ok(privateDirtyMb > 1 && residentMb > privateDirtyMb);
  t.end();
});
