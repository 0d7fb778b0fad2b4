import { homedir } from 'node:os';
import t from 'tap';
import { compileCacheFolder } from '../../../cli/compile-cache-folder.ts';

t.test('compiled code is kept where only the user writes', async t => {
  t.equal(compileCacheFolder({}), `${homedir()}/.cache/outrider`);
  t.equal(compileCacheFolder({ XDG_CACHE_HOME: '/x' }), '/x/outrider');
  t.equal(compileCacheFolder({ XDG_CACHE_HOME: '/x', NODE_COMPILE_CACHE: '/y' }), '/y', 'Node’s own variable wins');
});
