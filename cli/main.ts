/** The executable. What it compiles is kept between starts, so the program is loaded only after that is settled. */

import { enableCompileCache } from 'node:module';
import { compileCacheFolder } from './compile-cache-folder.ts';

enableCompileCache(compileCacheFolder(process.env));
const { runProgram } = await import('./program.ts');
await runProgram(process.argv);
