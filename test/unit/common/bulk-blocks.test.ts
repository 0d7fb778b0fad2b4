import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { BulkBlocks } from '../../../common/bulk-blocks.ts';

t.test('blocks that were let go are freed without a collection of the whole heap', async t => {
  const blocks = new BulkBlocks();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let i = 0; i < 4_000; i++) {
    blocks.take(65_536);
    if (i % 100 === 0) {
      await setImmediate();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
  }
  t.ok(most < 60_000_000, `at most ${most} bytes were held while 262 MB were taken`);
});

t.test('a block that is held stays as it is', async t => {
  const blocks = new BulkBlocks();
  const held = blocks.take(65_536).fill(7);
  for (let i = 0; i < 2_000; i++) blocks.take(65_536).fill(1);
  t.ok(held.every(byte => byte === 7));
});
