import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import t from 'tap';
import { BulkBlocks } from '../../../common/bulk-blocks.ts';

/** Collections of the whole heap while 1 GB of blocks comes and goes. */
const fullCollections = async (take: () => Buffer): Promise<number> => {
  let count = 0;
  const observer = new PerformanceObserver(list => {
    for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[])
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) count++;
  });
  observer.observe({ entryTypes: ['gc'] });
  for (let i = 0; i < 16_000; i++) {
    take();
    if (i % 100 === 0) await setImmediate();
  }
  await setTimeout(20);
  observer.disconnect();
  return count;
};

t.test('blocks that were let go are freed without collections of the whole heap', async t => {
  const blocks = new BulkBlocks();
  const without = await fullCollections(() => Buffer.allocUnsafeSlow(65_536));
  const count = await fullCollections(() => blocks.take(65_536));
  t.ok(count <= without / 3, `${count} instead of ${without}`);
});

t.test('a block that is held stays as it is', async t => {
  const blocks = new BulkBlocks();
  const held = blocks.take(65_536).fill(7);
  for (let i = 0; i < 2_000; i++) blocks.take(65_536).fill(1);
  t.ok(held.every(byte => byte === 7));
});
