import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../../..');

/** The TypeScript sources under a folder of the project. */
export const sources = (folder: string): { readonly path: string; readonly text: string }[] =>
  globSync(`${folder}/**/*.ts`, { cwd: ROOT }).map(path => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
