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

// V8's young generation may grow to 4 MB instead of 16: 25 MB less memory beside every app. And the compiler's threads, which
// glibc gives an arena each, share the main thread's: 3 MB less. Both are set for the whole process, so it begins anew with
// them, under its own id; whoever sets either in another way is left alone.
const YOUNG = '--max-semi-space-size';
const isSet = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some(option => option.includes(YOUNG));
if (['sidecar', 'run'].includes(process.argv[2]) && !isSet && process.platform === 'linux') {
  // What `outrider run` starts would inherit the variable.
  const ownMemory = process.argv[2] === 'sidecar' ? { MALLOC_ARENA_MAX: '1' } : {};
  process.execve(process.execPath, [process.execPath, ...process.execArgv, `${YOUNG}=4`, ...process.argv.slice(1)], {
    ...ownMemory,
    ...process.env,
  });
}

await import('../dist/cli/main.js').catch(error => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes('dist/cli/main.js')) throw error;
  process.stderr.write('outrider: this checkout is not built yet; run `npm run build` first.\n');
  process.exit(1);
});
