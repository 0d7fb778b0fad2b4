import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { ANNOTATIONS } from '../../../cli/inject/annotations.ts';
import { injectManifest } from '../../../cli/inject/inject-manifest.ts';
import { installManifests } from '../../../cli/install/manifests.ts';
import { tableRows } from './support/markdown-tables.ts';

const read = (page: string): string => readFileSync(join(import.meta.dirname, '../../../docs', page), 'utf8');
const plain = (cell = ''): string => cell.replaceAll('`', '');

interface Container {
  readonly name: string;
  readonly securityContext: {
    readonly runAsUser: number;
    readonly runAsNonRoot: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly privileged?: boolean;
    readonly capabilities: { readonly add?: readonly string[]; readonly drop: readonly string[] };
    readonly seccompProfile: { readonly type: string };
  };
  readonly volumeMounts?: readonly { readonly name: string }[];
}
interface Spec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

t.test('docs/kubernetes.md has the annotations that there are, with default and meaning', t => {
  t.same(
    tableRows(read('kubernetes.md'), 'Annotations').map(cells => cells.map(plain)),
    ANNOTATIONS.map(([name, standard, about]) => [name, standard === '' ? 'none' : plain(standard), plain(about)]),
  );
  t.end();
});

t.test('containers may do what docs/security.md says, and nothing else', t => {
  const pod = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"app"}]}}';
  const { text } = injectManifest(pod, 'pod', {
    classic: true,
    interception: 'redirect',
    image: 'a',
    initImage: 'b',
    controlPlane: 'https://a:1',
    version: '1',
  });
  const { spec: injected } = parse(text) as { spec: Spec };
  const base = { namespace: 'outrider-system', image: 'a', storageClass: undefined, storage: '1Gi' };
  const installed = parseAllDocuments(installManifests(base).get('control-plane.yaml') ?? '')
    .map(document => document.toJS() as { kind: string; spec: { template: { spec: Spec } } })
    .filter(({ kind }) => kind === 'Deployment')
    .flatMap(({ spec }) => spec.template.spec.containers);
  const ours = [...(injected.initContainers ?? []), ...injected.containers, ...installed].filter(
    ({ name }) => name !== 'app',
  );
  const rows = tableRows(read('security.md'), 'What each container may do').map(cells => cells.map(plain));
  t.same(
    rows.map(cells => cells.slice(0, 5)),
    ours.map(({ name, securityContext: may }) => [
      name,
      String(may.runAsUser),
      may.capabilities.add?.join(', ') ?? 'none',
      may.readOnlyRootFilesystem ? 'read-only' : 'writable',
      may.allowPrivilegeEscalation || may.privileged === true ? 'all' : 'no more than these',
    ]),
  );
  for (const { name, securityContext: may } of ours) {
    t.same(may.capabilities.drop, ['ALL'], name);
    t.equal(may.seccompProfile.type, 'RuntimeDefault', name);
    t.equal(may.runAsNonRoot, may.runAsUser !== 0, name);
  }
  const mounts = (name: string) => injected.containers.find(each => each.name === name)?.volumeMounts ?? [];
  t.ok(mounts('outrider-sidecar').some(({ name }) => name === 'outrider-token'));
  t.same(mounts('app'), [], 'the token is the sidecar’s alone');
  t.end();
});
