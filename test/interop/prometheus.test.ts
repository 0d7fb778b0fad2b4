/** promtool's verdict on manifests/prometheus and on what manifests/compose gives to Prometheus. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { missing } from '../support/foreign-tools.ts';
import { runToEnd } from '../support/processes.ts';

const MANIFESTS = fileURLToPath(new URL('../../manifests', import.meta.url));

t.test('promtool accepts the configurations, the rules and their tests', { skip: missing('promtool') }, async t => {
  const cwd = t.testdir();
  for (const name of ['rules.yml', 'rules.test.yml', 'prometheus.yml'])
    copyFileSync(join(MANIFESTS, 'prometheus', name), join(cwd, name));
  copyFileSync(join(MANIFESTS, 'compose', 'prometheus.yml'), join(cwd, 'compose.yml'));
  for (const words of [
    'check config prometheus.yml',
    'check config compose.yml',
    'check rules rules.yml',
    'test rules rules.test.yml',
  ]) {
    const { code, stdout, stderr } = await runToEnd('promtool', words.split(' '), { cwd });
    t.equal(code, 0, `promtool ${words}\n${stdout}${stderr}`);
  }
});
