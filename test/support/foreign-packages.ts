/** npm packages that only interoperability suites use, fetched by `.ci/fetch-tools` beside the other tools: the project itself does not depend on them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The folder whose `node_modules` has them; '' when nothing was fetched. */
export const FOREIGN_PACKAGES = join(process.env.OUTRIDER_INTEROP_TOOLS ?? '', 'npm');

/** For tap's `skip`: false when all are there, else a sentence. */
export const missingPackages = (...names: string[]): string | false => {
  const absent = names.filter(name => !existsSync(join(FOREIGN_PACKAGES, 'node_modules', name)));
  return absent.length > 0 && `needs the npm packages ${absent.join(', ')}; .ci/fetch-tools fetches them`;
};
