import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { clockOriginMs, clockSince } from '../../../../sidecar/workers/thread-clock.ts';

t.test('two threads read the same time', async t => {
  const url = new URL('../../../../sidecar/workers/thread-clock.ts', import.meta.url);
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.url).then(({ clockSince }) => parentPort.postMessage(clockSince(workerData.originMs).nowMs()));`;
  const before = performance.now();
  const worker = new Worker(code, { eval: true, workerData: { url: url.href, originMs: clockOriginMs() } });
  const [nowMs] = (await once(worker, 'message')) as [number];
  t.ok(nowMs >= before - 1 && nowMs <= performance.now() + 1);
  await worker.terminate();
});

t.test('a clock that started earlier is ahead by as much', t => {
  const ahead = clockSince(clockOriginMs() - 1_000).nowMs() - performance.now();
  t.ok(Math.abs(ahead - 1_000) < 5);
  t.end();
});
