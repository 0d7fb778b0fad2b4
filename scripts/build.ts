/**
 * `npm run build`: the program as it is published and as the container images carry it, everything but koffi in a few files under `dist/`: a sidecar
 * that has to load three hundred modules holds 4 MB more. Commands that are loaded when they are asked for stay files of their own, and each program
 * that is started by its path keeps that path.
 */

import { globSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '..');

/** Files that are started by their path: the executable, the worker thread, the demo's apps. */
const PROGRAMS = ['cli/main.ts', 'sidecar/workers/worker-program.ts', ...globSync('cli/demo/shop/*.ts', { cwd: ROOT })];

/**
 * Two things that a bundle would change. Modules find others by `import.meta`, which would be that of the file they ended up in: it stays that of
 * their own place in the build, seen from the chunks, which are at the top of `dist/`. And of a CommonJS package that is loaded late, a chunk
 * exports only the whole.
 */
const asUnbundled: Plugin = {
  name: 'as unbundled',
  setup: builder => {
    builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const url = `new URL('./${relative(ROOT, path).replace(/\.ts$/, '.js')}', import.meta.url)`;
      const contents = source
        .replaceAll('import.meta.url', `${url}.href`)
        .replaceAll('import.meta.filename', `${url}.pathname`)
        .replaceAll(/await import\('([\w-]+)'\)/g, "(await import('$1')).default");
      return { loader: 'ts', contents };
    });
  },
};

// The names of chunks change with what is in them.
await rm(resolve(ROOT, 'dist'), { recursive: true, force: true });
await build({
  absWorkingDir: ROOT,
  entryPoints: PROGRAMS,
  outdir: 'dist',
  outbase: '.',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: `node${process.versions.node}`,
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'linked',
  // CommonJS packages ask for Node's own modules with `require`, which a module does not have.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module';const require = requireOf(import.meta.url);",
  },
  external: ['koffi'],
  plugins: [asUnbundled],
  logLevel: 'warning',
});
