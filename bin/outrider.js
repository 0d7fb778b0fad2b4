#!/usr/bin/env node
// Plain JavaScript that any Node can parse: it says which Node Outrider needs before anything newer is loaded.
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `outrider: needs Node 24 or newer, this is ${process.version} (${process.execPath}).\n` +
      'In a checkout, `npm run -s outrider -- ARGS` uses the Node that the project pins.\n',
  );
  process.exit(1);
}
await import('../dist/cli/main.js').catch(error => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes('dist/cli/main.js')) throw error;
  process.stderr.write('outrider: this checkout is not built yet; run `npm run build` first.\n');
  process.exit(1);
});
