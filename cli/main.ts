/** The executable. What it compiles is kept between starts, so the program is loaded only after that is settled. */

import { enableCompileCache, flushCompileCache } from 'node:module';
import { compileCacheFolder } from './compile-cache-folder.ts';

/** Node itself would write it at the end of the process, which for a sidecar may be far away. */
const FLUSH_AFTER_MS = 3_000;

enableCompileCache(compileCacheFolder(process.env));
setTimeout(flushCompileCache, FLUSH_AFTER_MS).unref();
// `outrider get workloads | head`: who has read enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
const { runProgram } = await import('./program.ts');
await runProgram(process.argv);
