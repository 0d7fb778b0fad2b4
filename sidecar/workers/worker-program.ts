/** The program of a worker beside the first. What it compiles is kept between starts, so the rest is loaded only after that is settled. */
import { enableCompileCache } from 'node:module';
import { workerData } from 'node:worker_threads';
import type { WorkerStart } from './messages.ts';

const start = workerData as WorkerStart;
if (start.compileCache !== undefined) enableCompileCache(start.compileCache);
const { runWorker } = await import('./run-worker.ts');
await runWorker(start);
