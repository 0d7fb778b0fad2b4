/** The identity in the state folder: `certificate.pem`, `key.pem` and `trust-bundle.pem`, for this user alone. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IdentityMaterial } from './identity.ts';

/** In this order they are written, and in this order they are renamed. */
const FILES = [
  ['keyPem', 'key.pem'],
  ['trustBundlePem', 'trust-bundle.pem'],
  ['certificatePem', 'certificate.pem'],
] as const satisfies readonly (readonly [keyof IdentityMaterial, string])[];
const FIRST = FILES[0][1];
const LAST = FILES[2][1];

const aside = (dir: string, name: string): string => join(dir, `${name}.new`);

/**
 * What a run that was killed while it wrote has left. It had begun to rename when its last file is there and its first no longer: then all three were
 * written, and the others follow. Else the old ones are still complete, and the new ones go, the last one first, so that a kill in here tells the same.
 */
const settle = (dir: string): void => {
  const isRenaming = existsSync(aside(dir, LAST)) && !existsSync(aside(dir, FIRST));
  for (const [, name] of isRenaming ? FILES : FILES.toReversed()) {
    if (!isRenaming) rmSync(aside(dir, name), { force: true });
    else if (existsSync(aside(dir, name))) renameSync(aside(dir, name), join(dir, name));
  }
};

/** What is there, as it was written together; undefined when a file is missing or can't be read. */
export const readIdentityFiles = (dir: string): IdentityMaterial | undefined => {
  try {
    settle(dir);
    const parts = FILES.map(([part, name]) => [part, readFileSync(join(dir, name), 'utf8')] as const);
    return Object.fromEntries(parts) as Record<keyof IdentityMaterial, string>;
  } catch {
    return undefined;
  }
};

/**
 * Writes all three aside and then renames them, so that no reader sees half a file, and none sees parts of two identities, also when the process is
 * killed in between. (After a power cut a key may not fit its certificate: the next start notices and asks for a new identity.)
 * @throws what the file system says.
 */
export const writeIdentityFiles = (dir: string, material: IdentityMaterial): void => {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // Also because one that was left behind would keep the mode that it has.
  settle(dir);
  for (const [part, name] of FILES) writeFileSync(aside(dir, name), material[part], { mode: 0o600, flag: 'wx' });
  for (const [, name] of FILES) renameSync(aside(dir, name), join(dir, name));
};
