import { readFileSync } from 'node:fs';

/** The release, as package.json has it; two levels up in a build, one in a checkout. */
export const version: string = (() => {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return String((JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: unknown }).version);
    } catch {
      // The other place.
    }
  }
  return 'unknown';
})();
