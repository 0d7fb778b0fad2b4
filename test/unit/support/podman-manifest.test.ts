import t from 'tap';
import { type Cluster, type Manifest, type Pod, toPods } from '../../support/podman-manifest.ts';

const CLUSTER: Cluster = {
  namespace: 'shop',
  addressOf: pod => `10.0.0.${pod.length}`,
  services: [{ names: ['web', 'web.shop'], clusterIP: '10.96.0.10' }],
  folderOf: sources => `/folder/${sources.map(({ kind, name }) => `${kind}-${name}`).join('+')}`,
};
/** A cluster that gives nothing, so that nothing of it is written into a pod. */
const BARE: Cluster = { ...CLUSTER, services: [] };

/** Each kind of field that a pod may have, none of which podman's lacks concern. */
const UNTOUCHED: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' }, annotations: { 'example.com/note': 'kept' }, unknown: [1, null] },
  spec: {
    restartPolicy: 'Always',
    serviceAccountName: 'web',
    shareProcessNamespace: true,
    securityContext: { runAsNonRoot: true, fsGroup: 7 },
    hostAliases: [{ ip: '10.1.1.1', hostnames: ['db'] }],
    unknown: { deep: [{ er: true }] },
    volumes: [
      { name: 'host', hostPath: { path: '/srv', type: 'Directory' } },
      { name: 'claim', persistentVolumeClaim: { claimName: 'data' } },
    ],
    containers: [
      {
        name: 'web',
        image: 'web:1',
        command: ['web', '--port', '8080'],
        env: [
          { name: 'A', value: '1' },
          { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        ],
        readinessProbe: { httpGet: { path: '/', port: 8080 } },
        lifecycle: { postStart: { exec: { command: ['true'] } } },
        resources: { limits: { memory: '64Mi' } },
        securityContext: { capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true },
        volumeMounts: [{ name: 'host', mountPath: '/srv', readOnly: true }],
        unknown: 'kept',
      },
    ],
  },
};

/** The paths at which two values differ, `a.0.b`; an end that one side lacks is one path. */
const differences = (a: unknown, b: unknown, path = ''): readonly string[] => {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b) ? [] : [path];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap(key =>
    differences(Reflect.get(a, key), Reflect.get(b, key), path === '' ? key : `${path}.${key}`),
  );
};

const AWKWARD: Pod = {
  ...UNTOUCHED,
  spec: {
    ...UNTOUCHED.spec,
    initContainers: [{ name: 'first', image: 'first:1', volumeMounts: [{ name: 'scratch', mountPath: '/s' }] }],
    volumes: [
      { name: 'token', secret: { secretName: 'outrider-web', defaultMode: 292 } },
      { name: 'settings', configMap: { name: 'settings' } },
      { name: 'both', projected: { sources: [{ secret: { name: 'a' } }, { configMap: { name: 'b' } }] } },
      { name: 'scratch', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
    ],
    containers: [
      {
        name: 'web',
        image: 'web:1',
        ports: [{ containerPort: 8080 }],
        env: [
          { name: 'NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
          { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
        volumeMounts: [
          { name: 'token', mountPath: '/t', readOnly: true },
          { name: 'scratch', mountPath: '/s' },
        ],
      },
    ],
  },
};

t.test('a pod that podman can play stays as it is', t => {
  t.strictSame(toPods([UNTOUCHED], BARE), [UNTOUCHED]);
  t.end();
});

t.test('what podman lacks is changed, and nothing else', t => {
  const [pod] = toPods([AWKWARD], CLUSTER);
  t.strictSame(differences(AWKWARD, pod).toSorted(), [
    'spec.containers.0.env.0.value',
    'spec.containers.0.env.0.valueFrom',
    'spec.containers.0.env.1.value',
    'spec.containers.0.env.1.valueFrom',
    'spec.containers.0.env.2.value',
    'spec.containers.0.env.2.valueFrom',
    'spec.containers.0.ports',
    'spec.containers.0.volumeMounts.1.name',
    'spec.hostAliases.1',
    'spec.initContainers.0.volumeMounts.0.name',
    'spec.restartPolicy',
    'spec.volumes.0.hostPath',
    'spec.volumes.0.secret',
    'spec.volumes.1.configMap',
    'spec.volumes.1.hostPath',
    'spec.volumes.2.hostPath',
    'spec.volumes.2.projected',
    'spec.volumes.3.name',
  ]);
  const { spec } = pod as Pod;
  t.equal(spec.restartPolicy, 'Never');
  t.strictSame(
    spec.containers[0]?.env?.map(({ value }) => value),
    ['shop', 'web', '10.0.0.3'],
  );
  t.strictSame(spec.hostAliases?.[1], { ip: '10.96.0.10', hostnames: ['web', 'web.shop'] });
  t.match(spec.volumes, [
    { hostPath: { path: '/folder/Secret-outrider-web', type: 'Directory' } },
    { hostPath: { path: '/folder/ConfigMap-settings' } },
    { hostPath: { path: '/folder/Secret-a+ConfigMap-b' } },
    { name: 'web-scratch', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
  ]);
  t.end();
});

t.test('a workload becomes the pods of its template, as many as its replicas', t => {
  const { name: _name, ...metadata } = UNTOUCHED.metadata;
  const workload = (kind: string, more: object): Manifest => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'books', labels: { of: 'the workload' } },
    spec: { template: { metadata, spec: UNTOUCHED.spec }, ...more },
  });
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'Job']) {
    const pods = toPods([workload(kind, kind === 'Deployment' ? { replicas: 2 } : {})], BARE);
    t.strictSame(
      pods,
      (kind === 'Deployment' ? ['web-0', 'web-1'] : ['web-0']).map(name => ({
        ...UNTOUCHED,
        metadata: { ...metadata, name, namespace: 'books' },
      })),
      kind,
    );
  }
  t.strictSame(toPods([{ kind: 'Service', metadata: { name: 'web' } }], BARE), [], 'what is no workload has no pod');
  t.end();
});

t.test('a field that nobody knows the value of is an error', t => {
  const env = [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }];
  const pod = { ...UNTOUCHED, spec: { ...UNTOUCHED.spec, containers: [{ name: 'web', env }] } };
  t.throws(() => toPods([pod], BARE), { message: 'no value for the fieldPath spec.nodeName' });
  t.end();
});
