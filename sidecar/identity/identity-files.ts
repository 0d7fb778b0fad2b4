/** The identity in the state folder: `certificate.pem`, `key.pem` and `trust-bundle.pem`, for this user alone. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IdentityMaterial } from './identity.ts';

const FILES = {
  trustBundlePem: 'trust-bundle.pem',
  keyPem: 'key.pem',
  certificatePem: 'certificate.pem',
} as const satisfies Record<keyof IdentityMaterial, string>;

/** What is there; undefined when a file is missing or can't be read. */
export const readIdentityFiles = (dir: string): IdentityMaterial | undefined => {
  const read = (name: string): string => readFileSync(join(dir, name), 'utf8');
  try {
    return {
      certificatePem: read(FILES.certificatePem),
      keyPem: read(FILES.keyPem),
      trustBundlePem: read(FILES.trustBundlePem),
    };
  } catch {
    return undefined;
  }
};

/**
 * Writes all three aside and then renames them, so that no reader sees half a file. A crash between two renames leaves a
 * key that doesn't fit its certificate; the next start notices and asks for a new identity.
 * @throws what the file system says.
 */
export const writeIdentityFiles = (dir: string, material: IdentityMaterial): void => {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const entries = Object.entries(FILES) as [keyof IdentityMaterial, string][];
  for (const [part, name] of entries) {
    const path = join(dir, `${name}.new`);
    // One that a crash left behind would keep the mode that it has.
    rmSync(path, { force: true });
    writeFileSync(path, material[part], { mode: 0o600, flag: 'wx' });
  }
  for (const [, name] of entries) renameSync(join(dir, `${name}.new`), join(dir, name));
};
