import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { Command } from 'commander';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import type { InstallOptions } from '../../../../cli/install/control-plane.ts';
import { defaultImage } from '../../../../cli/install/image.ts';
import { installManifests } from '../../../../cli/install/manifests.ts';
import { registerInstall } from '../../../../cli/install.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const BASE = join(ROOT, 'manifests/kubernetes/base');
const OPTIONS: InstallOptions = {
  namespace: 'outrider-system',
  image: defaultImage,
  storageClass: undefined,
  storage: '1Gi',
};

interface Schema {
  readonly type?: string;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}
interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

const all = (text: string): readonly unknown[] => parseAllDocuments(text).map(document => document.toJS() as unknown);
const schemas = new Map(
  (all(installManifests(OPTIONS).get('crds.yaml') ?? '') as Definition[]).map(({ spec }) => [
    spec.names.kind,
    spec.versions[0]?.schema.openAPIV3Schema ?? {},
  ]),
);
/** All schemas within one, with their paths. */
const within = (schema: Schema, path: string): readonly (readonly [string, Schema])[] => [
  [path, schema],
  ...Object.entries(schema.properties ?? {}).flatMap(([name, each]) => within(each, `${path}.${name}`)),
  ...(schema.items === undefined ? [] : within(schema.items, `${path}[]`)),
  ...(schema.additionalProperties === undefined ? [] : within(schema.additionalProperties, `${path}.*`)),
];

const install = (): Command => {
  const program = new Command();
  registerInstall(program);
  const [command] = program.commands;
  return (command as Command).exitOverride().configureOutput({ writeErr: () => {} });
};

t.test('manifests/kubernetes/base is what `outrider install --output-dir` writes', async t => {
  const dir = t.testdir();
  await install().parseAsync(['--output-dir', join(dir, 'a/b')], { from: 'user' });
  const names = readdirSync(BASE).toSorted();
  t.same(readdirSync(join(dir, 'a/b')).toSorted(), names);
  for (const name of names)
    t.equal(readFileSync(join(BASE, name), 'utf8'), readFileSync(join(dir, 'a/b', name), 'utf8'), name);
  const { resources } = parse(readFileSync(join(BASE, 'kustomization.yaml'), 'utf8')) as { resources: string[] };
  t.same(
    resources.toSorted(),
    names.filter(name => name !== 'kustomization.yaml'),
  );
});

t.test('namespace, image and volume are as they are asked for', t => {
  const text = [
    ...installManifests({ namespace: 'mesh', image: 'x:1', storageClass: 'fast', storage: '5Gi' }).values(),
  ].join('---\n');
  t.notMatch(text, /: outrider-system/);
  t.match(text, '--name=outrider.mesh.svc\n');
  t.match(text, 'image: x:1\n');
  t.match(text, 'storageClassName: fast\n');
  t.match(text, 'storage: 5Gi\n');
  t.end();
});

t.test('what is no name and no size is refused', async t => {
  for (const [flag, value] of [
    ['--namespace', 'A b'],
    ['--storage', 'much'],
  ] as const)
    await t.rejects(install().parseAsync([flag, value], { from: 'user' }), { code: 'commander.invalidArgument' });
});

t.test('a folder that cannot be written is named', async t => {
  const before = process.exitCode;
  t.teardown(() => {
    process.exitCode = before;
  });
  const written: string[] = [];
  t.intercept(process.stderr, 'write', { value: (text: string) => written.push(text) });
  await install().parseAsync(['--output-dir', join(fileURLToPath(import.meta.url), 'x')], { from: 'user' });
  t.match(written.join(''), /cannot write the manifests: .*ENOTDIR/);
  t.equal(process.exitCode, 1);
  process.exitCode = before;
});

t.test('schemas are structural, in the words that a cluster takes', t => {
  t.ok(schemas.size >= 5);
  for (const [kind, schema] of schemas)
    for (const [path, each] of within(schema, kind)) {
      const isFree = 'x-kubernetes-int-or-string' in each;
      if (!isFree && each.type === undefined) t.fail(`${path} has no type`);
      if (each.properties !== undefined && each.additionalProperties !== undefined) t.fail(`${path} has both`);
      for (const key of each['x-kubernetes-list-map-keys'] ?? [])
        if (!each.items?.required?.includes(key) && each.items?.properties?.[key]?.default === undefined)
          t.fail(`${path}: the key ${key} may be absent`);
      // Go's regular expressions have neither.
      if (/\(\?[=!<]|\\[1-9]/.test(each.pattern ?? '')) t.fail(`${path}: ${each.pattern}`);
    }
  t.end();
});

t.test('our examples fit the definitions of their kinds, to the last field', t => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  let count = 0;
  const files = readdirSync(join(ROOT, 'manifests/examples'), { recursive: true, encoding: 'utf8' });
  for (const file of files.filter(name => name.endsWith('.yaml')))
    for (const object of all(readFileSync(join(ROOT, 'manifests/examples', file), 'utf8'))) {
      const { apiVersion, kind } = object as { apiVersion?: string; kind: string };
      if (apiVersion !== 'outrider.mesh/v1') continue;
      const validate = ajv.compile(closed(schemas.get(kind) ?? {}) as object);
      t.ok(validate(object), `${file}: ${kind} ${JSON.stringify(validate.errors)}`);
      count++;
    }
  t.ok(count >= 5, `${count} objects`);
  t.end();
});

/** A cluster drops unknown fields; here they are errors. `metadata` is the cluster's own. */
const closed = (schema: Schema): object => {
  const { properties, items, additionalProperties, ...rest } = schema;
  return {
    ...rest,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, closed(each)])),
          additionalProperties: false,
        }),
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: closed(additionalProperties) }),
  };
};

t.test('the control plane may do nothing in the cluster, and little in its container', t => {
  const [, , role, edit] = [undefined, ...all(installManifests(OPTIONS).get('access.yaml') ?? '')] as {
    readonly kind: string;
    readonly rules: readonly { readonly apiGroups: readonly string[] }[];
  }[];
  for (const each of [role, edit]) t.match(each, { kind: 'ClusterRole', rules: [{ apiGroups: ['outrider.mesh'] }] });
  const text = [...installManifests(OPTIONS).values()].join('---\n');
  t.notMatch(text, /RoleBinding/);
  const deployment = all(installManifests(OPTIONS).get('control-plane.yaml') ?? '').find(
    object => (object as { kind: string }).kind === 'Deployment',
  );
  t.match(deployment, {
    spec: {
      template: {
        spec: {
          automountServiceAccountToken: false,
          containers: [
            {
              securityContext: {
                runAsUser: 1337,
                runAsNonRoot: true,
                readOnlyRootFilesystem: true,
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  });
  t.end();
});
