/** `outrider completion`, in the shells themselves: what they offer is what the program declares and the control plane knows. */
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runToEnd } from '../support/processes.ts';
import { RestClient, startControlPlane } from '../support/rest-client.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

t.setTimeout(60_000);

const BASH = `
source <(outrider completion bash)
offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _outrider; echo "$*:\${COMPREPLY[*]}"; }
offer outrider des
offer outrider get ''
offer outrider get svc ''
offer outrider get svc -o = j
complete -p outrider
`;
const ZSH = `
compdef() { echo "compdef $*"; }
_describe() { echo "\${(j: :)\${(P)2}}"; }
_files() { echo files; }
source <(outrider completion zsh)
offer() { words=("$@"); CURRENT=$#; _outrider; }
offer outrider des
offer outrider get svc ''
offer outrider run -- ''
`;

const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

t.test('bash and zsh are offered commands, kinds and names', async t => {
  const dataDir = t.testdir({ bin: {} });
  const launcher = join(dataDir, 'bin', 'outrider');
  writeFileSync(launcher, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  chmodSync(launcher, 0o755);
  await using plane = await startControlPlane(dataDir);
  await using rest = new RestClient(plane.restUrl, dataDir);
  for (const name of ['web', 'payments'])
    await rest.call('POST', '/api/v1/namespaces/default/services', {
      body: { metadata: { name }, spec: { ports: [{ port: 80 }] } },
    });
  const env = {
    PATH: `${join(dataDir, 'bin')}:${process.env.PATH}`,
    OUTRIDER_SERVER: plane.restUrl,
    OUTRIDER_DATA_DIR: dataDir,
  };
  if (has('bash')) {
    const { stdout, stderr } = await runToEnd('bash', ['--norc', '-c', BASH], { env });
    t.equal(stderr, '');
    t.match(stdout, /^outrider des:describe$/m);
    t.match(stdout, /^outrider get :namespaces .*services .*sidecars$/m);
    t.match(stdout, /^outrider get svc :payments web$/m);
    t.match(stdout, /^outrider get svc -o = j:json$/m);
    t.match(stdout, /^complete -o default -F _outrider outrider$/m);
  }
  if (has('zsh')) {
    const { stdout, stderr } = await runToEnd('zsh', ['-f', '-c', ZSH], { env });
    t.equal(stderr, '');
    t.equal(
      stdout,
      'compdef _outrider outrider\ndescribe:shows one resource for a person to read\npayments: web:\nfiles\n',
    );
  }
  const without = await runToEnd(process.execPath, [PROGRAM, 'complete', '--', 'get', 'svc', ''], {
    env: { ...env, OUTRIDER_SERVER: 'https://127.0.0.1:1' },
  });
  t.match(without, { code: 1, stdout: '' }, 'no control plane, no names');
  t.match(await runToEnd(process.execPath, [PROGRAM, 'completion', 'fish']), { code: 2, stderr: /bash, zsh/ });
});
