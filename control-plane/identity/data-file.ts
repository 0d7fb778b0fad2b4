/** Files of the data directory that hold secrets: 0600, written beside and renamed, so that no start sees half of one. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Undefined: there is none yet. */
export const readDataFile = (dataDir: string, name: string): string | undefined => {
  try {
    return readFileSync(join(dataDir, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

export const writeDataFile = (dataDir: string, name: string, text: string): void => {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const target = join(dataDir, name);
  const temporary = `${target}.tmp`;
  rmSync(temporary, { force: true });
  const descriptor = openSync(temporary, 'wx', 0o600);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, target);
};
