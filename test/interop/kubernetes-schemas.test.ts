/** Everything that `outrider install` and `outrider inject` give, held strictly to the schemas of Kubernetes. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { injectManifest } from '../../cli/inject/inject-manifest.ts';
import type { InjectOptions } from '../../cli/inject/settings.ts';
import { PYTHON, PYTHON_PACKAGES } from '../support/foreign-tools.ts';
import { PODS } from '../support/pod-manifests.ts';
import { runToEnd } from '../support/processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BASE = join(ROOT, 'manifests/kubernetes/base');
const VALIDATE = join(ROOT, 'test/fixtures/kubernetes_validate_all.py');
/** The first with native sidecars by default, and a late one. */
const RELEASES = ['1.29', '1.34'];
const options = { env: { PYTHONPATH: PYTHON_PACKAGES } };

interface Named {
  readonly name: string;
  readonly object: unknown;
}

const read = (name: string, text: string): Named[] =>
  parseAllDocuments(text, { version: '1.1' }).map(document => ({ name, object: document.toJS() as unknown }));

const injected = (flags: Partial<InjectOptions>): Named[] =>
  Object.entries(PODS).flatMap(([name, manifest]) => {
    const { text, problems } = injectManifest(JSON.stringify(manifest), name, {
      classic: false,
      interception: 'redirect',
      image: 'registry.example/outrider:1',
      initImage: 'registry.example/outrider-init:1',
      controlPlane: 'https://outrider.outrider-system.svc:15012',
      version: '1.2.3',
      ...flags,
    });
    if (problems.length > 0) throw new Error(problems.join('\n'));
    return read(`${name} ${JSON.stringify(flags)}`, text);
  });

const problemsOf = async (t: Test, objects: readonly Named[], release: string): Promise<readonly string[]> => {
  const file = join(t.testdirName, 'objects.json');
  writeFileSync(file, JSON.stringify(objects));
  const { code, stdout, stderr } = await runToEnd(PYTHON, [VALIDATE, release, file], options);
  if (code !== 0) throw new Error(stderr);
  const lines = stdout.trim().split('\n');
  t.equal(lines.pop(), `${objects.length} objects`);
  return lines;
};

const { code } = await runToEnd(PYTHON, ['-c', 'import kubernetes_validate'], options);
const skip = code !== 0 && 'needs the Python package kubernetes-validate; .ci/run installs what it needs';

t.test('manifests are what Kubernetes takes', { skip, timeout: 120_000 }, async t => {
  const installed = readdirSync(BASE)
    .filter(file => file !== 'kustomization.yaml')
    .flatMap(file => read(file, readFileSync(join(BASE, file), 'utf8')));
  const objects = [
    ...installed,
    ...injected({}),
    ...injected({ classic: true }),
    ...injected({ interception: 'none' }),
    ...injected({ interception: 'none', classic: true }),
  ];
  t.testdir();
  for (const release of RELEASES) t.same(await problemsOf(t, objects, release), [], release);
  const wrong = { name: 'wrong', object: { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: { container: [] } } };
  t.match(await problemsOf(t, [wrong], '1.34'), [/wrong: /], 'the validator finds what is wrong');
});
