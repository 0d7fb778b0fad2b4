import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { runToEnd } from '../support/processes.ts';
import { startControlPlane } from '../support/rest-client.ts';

const DOCS = readFileSync(new URL('../../docs/rest.md', import.meta.url), 'utf8');
const hasCurl = spawnSync('curl', ['--version']).status === 0;

t.test(
  'the curl examples of docs/rest.md work in their order',
  { skip: hasCurl ? false : 'curl is not installed' },
  async t => {
    const dataDir = t.testdir();
    await using plane = await startControlPlane(dataDir);
    const [first = '', ...examples] = [...DOCS.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
    const variables = first
      .replace(/SERVER=.*/, `SERVER=${plane.restUrl}`)
      .replace(/DATA=.*/, `DATA=${dataDir}`)
      .replace('--silent', '--silent --fail-with-body');
    t.ok(examples.length > 8, `${examples.length} examples`);
    for (const example of examples) {
      const { code, stdout, stderr } = await runToEnd('sh', ['-e', '-c', `${variables}\n${example}`]);
      t.equal(code, 0, `${example.split('\n')[0]}\n${stdout}${stderr}`);
    }
  },
);
