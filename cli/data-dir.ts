import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a control plane keeps its state unless it is told otherwise: `OUTRIDER_DATA_DIR`, else by the XDG base directory specification. */
export const defaultDataDir = (env: NodeJS.ProcessEnv): string =>
  env.OUTRIDER_DATA_DIR || join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'outrider');
