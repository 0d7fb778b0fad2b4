import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where compiled code is kept between starts, which halves the time that a start takes: `NODE_COMPILE_CACHE`, else by the XDG base directory
 * specification. Never Node's own default in the folder for temporary files: who can write there could put code into a sidecar.
 */
export const compileCacheFolder = (env: NodeJS.ProcessEnv): string =>
  env.NODE_COMPILE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'outrider');
