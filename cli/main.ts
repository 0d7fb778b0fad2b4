/** The executable. What it compiles is kept between starts, so the program is loaded only after that is settled. */

import { enableCompileCache } from 'node:module';
import { compileCacheFolder } from './compile-cache-folder.ts';

enableCompileCache(compileCacheFolder(process.env));
// `outrider get workloads | head`: who has read enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
const { runProgram } = await import('./program.ts');
await runProgram(process.argv);
