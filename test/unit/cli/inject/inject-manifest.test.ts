import t from 'tap';
import { parse } from 'yaml';
import { injectManifest } from '../../../../cli/inject/inject-manifest.ts';
import type { InjectOptions } from '../../../../cli/inject/settings.ts';

const OPTIONS: InjectOptions = {
  classic: false,
  interception: 'redirect',
  image: 'registry.example/outrider:1',
  initImage: 'registry.example/outrider-init:1',
  controlPlane: 'https://outrider.outrider-system.svc:15012',
  version: '1.2.3',
};

interface Container {
  readonly name: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly restartPolicy?: string;
  readonly lifecycle?: unknown;
  readonly startupProbe?: unknown;
  readonly resources?: unknown;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly [field: string]: unknown;
}
interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[];
  readonly shareProcessNamespace?: boolean;
}
interface Pod {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: PodSpec;
}

const inject = (text: string, options: Partial<InjectOptions> = {}): string => {
  const injected = injectManifest(text, 'app.yaml', { ...OPTIONS, ...options });
  t.same(injected.problems, []);
  return injected.text;
};
const problemsOf = (text: string, options: Partial<InjectOptions> = {}): readonly string[] =>
  injectManifest(text, 'app.yaml', { ...OPTIONS, ...options }).problems;

/** A Deployment whose pods have these annotations and this spec, as flow YAML. */
const deployment = (annotations: Readonly<Record<string, string>> = {}, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      template: {
        metadata: {
          labels: { app: 'web', tier: 'front' },
          annotations: Object.fromEntries(
            Object.entries(annotations).map(([name, value]) => [`sidecar.outrider.mesh/${name}`, value]),
          ),
        },
        spec: {
          containers: [{ name: 'app', ports: [{ name: 'grpc-api', containerPort: 9000 }, { containerPort: 80 }] }],
          ...spec,
        },
      },
    },
  });
const podOf = (text: string): Pod => (parse(text) as { spec: { template: Pod } }).spec.template;
const sidecarOf = ({ spec }: Pod): Container => {
  const sidecar = [...(spec.initContainers ?? []), ...spec.containers].find(({ name }) => name === 'outrider-sidecar');
  if (sidecar === undefined) throw new Error('there is no sidecar');
  return sidecar;
};
const initOf = ({ spec }: Pod): Container => {
  const init = spec.initContainers?.find(({ name }) => name === 'outrider-init');
  if (init === undefined) throw new Error('there is no init container');
  return init;
};
const variables = ({ env = [] }: Container): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(env.map(({ name, value }) => [name, value]));

t.test('comments, order, blank lines, unknown fields and spellings stay', t => {
  const source = `# a shop
apiVersion: v1
kind: Service
metadata: {name: web}   # as it is
---
# the web
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # its name
spec:
  unknown: [1, 'two', {three: 0x3}]

  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      # the first
      - name: app
        on: yes
        mode: 0644
        text: |
          # no comment
          ---x
      # the second
      - name: other
      volumes:
      - name: x
        secret: {secretName: x, defaultMode: 0400}
`;
  const added = (line: string): boolean => !source.split('\n').includes(line);
  const text = inject(source);
  t.equal(
    text
      .split('\n')
      .filter(line => !added(line))
      .join('\n'),
    source,
    'nothing is lost, changed or moved',
  );
  t.match(text, /{name: web} {3}# as it is\n---/, 'a document without a pod is not even reformatted');
  const classic = inject(source, { classic: true });
  t.match(
    classic,
    /volumeMounts:[\s\S]*outrider-state\n[\s\S]*# the first\n {6}- name: app\n/,
    'a comment stays with its container',
  );
  t.end();
});

t.test('what is injected already stays as it is', t => {
  for (const classic of [false, true]) {
    const once = inject(deployment({ upstreams: 'payments=9101' }), { classic });
    t.equal(inject(once, { classic, version: '2' }), once);
    t.equal(inject(once, { classic: !classic }), once);
  }
  t.end();
});

t.test('JSON stays JSON', t => {
  t.equal(inject(deployment()), `${JSON.stringify(JSON.parse(inject(deployment())), null, 2)}\n`);
  t.end();
});

t.test('line ends stay', t => {
  const source = 'apiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: a\r\nspec:\r\n  containers:\r\n  - name: a\r\n';
  t.notMatch(inject(source), /[^\r]\n/);
  t.end();
});

t.test('every kind with pods is known, in a List too', t => {
  const spec = { containers: [{ name: 'app' }] };
  const template = { template: { spec } };
  const kinds: readonly (readonly [string, string, object])[] = [
    ['v1', 'Pod', { spec }],
    ['v1', 'ReplicationController', { spec: template }],
    ['v1', 'PodTemplate', template],
    ['apps/v1', 'Deployment', { spec: template }],
    ['apps/v1', 'StatefulSet', { spec: template }],
    ['apps/v1', 'DaemonSet', { spec: template }],
    ['apps/v1', 'ReplicaSet', { spec: template }],
    ['batch/v1', 'Job', { spec: template }],
    ['batch/v1', 'CronJob', { spec: { jobTemplate: { spec: template } } }],
  ];
  const objects = kinds.map(([apiVersion, kind, rest]) => ({ apiVersion, kind, metadata: { name: 'app' }, ...rest }));
  for (const object of objects) t.match(inject(JSON.stringify(object)), /"name": "outrider-sidecar"/, object.kind);
  const list = inject(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  t.equal(list.match(/"name": "outrider-sidecar"/g)?.length, kinds.length);
  t.match(
    inject('{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"app-"},"spec":{"containers":[{"name":"a"}]}}'),
    /"value": "app"/,
  );
  const foreign = JSON.stringify({ apiVersion: 'serving.knative.dev/v1', kind: 'Deployment', spec: template });
  t.equal(inject(foreign), foreign, 'a kind of the same name in another group is another kind');
  t.equal(inject(''), '');
  t.end();
});

t.test('a native sidecar starts before all others, and they wait until it is ready', t => {
  const { spec, metadata } = podOf(inject(deployment({}, { initContainers: [{ name: 'migrate' }] })));
  t.same(
    spec.initContainers?.map(({ name }) => name),
    ['outrider-init', 'outrider-sidecar', 'migrate'],
  );
  t.match(sidecarOf({ spec, metadata }), {
    image: OPTIONS.image,
    args: ['sidecar'],
    restartPolicy: 'Always',
    startupProbe: { httpGet: { path: '/healthz/ready', port: 15020 } },
    securityContext: { runAsUser: 1337, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
  });
  t.match(metadata.annotations, { 'prometheus.io/port': '15020', 'sidecar.outrider.mesh/status': '1.2.3' });
  t.same(
    spec.volumes?.map(({ name }) => name),
    ['outrider-token', 'outrider-state'],
  );
  t.end();
});

t.test('a classic sidecar is the first of the containers and holds them back', t => {
  const { spec, metadata } = podOf(
    inject(deployment({}, { initContainers: [{ name: 'migrate' }] }), { classic: true }),
  );
  t.same(
    spec.containers.map(({ name }) => name),
    ['outrider-sidecar', 'app'],
  );
  const sidecar = sidecarOf({ spec, metadata });
  t.same(sidecar.lifecycle, { postStart: { exec: { command: ['outrider', 'wait', '--timeout', '300s'] } } });
  t.notOk('restartPolicy' in sidecar || 'startupProbe' in sidecar);
  t.same(spec.initContainers?.[0], { name: 'migrate' }, 'what runs before the sidecar is not sent to it');
  t.equal(spec.initContainers?.[1]?.name, 'outrider-init');
  t.equal(metadata.annotations['kubectl.kubernetes.io/default-container'], 'app');
  t.notOk('shareProcessNamespace' in spec, 'only where the pod ends by itself');
  t.end();
});

t.test('the pod of a Job ends with its app: a classic sidecar sees its processes, a native one is ended', t => {
  const classic = podOf(inject(deployment({}, { restartPolicy: 'Never' }), { classic: true }));
  t.same(sidecarOf(classic).args, ['sidecar', '--exit-with-app']);
  t.equal(classic.spec.shareProcessNamespace, true);
  const native = podOf(inject(deployment({}, { restartPolicy: 'OnFailure' })));
  t.same(sidecarOf(native).args, ['sidecar']);
  t.notOk('shareProcessNamespace' in native.spec);
  t.end();
});

t.test('what the annotations do not say comes from the pod', t => {
  t.match(variables(sidecarOf(podOf(inject(deployment())))), {
    OUTRIDER_SERVICE: 'web',
    OUTRIDER_SERVICE_ACCOUNT: 'default',
    OUTRIDER_APP_PORTS: 'grpc=9000,80',
    OUTRIDER_LABELS: 'app=web,tier=front',
    OUTRIDER_DRAIN: '25s',
    OUTRIDER_CONTROL_PLANE: OPTIONS.controlPlane,
  });
  const pod = podOf(inject(deployment({}, { serviceAccountName: 'shop', terminationGracePeriodSeconds: 90 })));
  t.match(variables(sidecarOf(pod)), { OUTRIDER_SERVICE_ACCOUNT: 'shop', OUTRIDER_DRAIN: '1m25s' });
  t.equal(pod.spec.volumes?.[0]?.secret?.secretName, 'outrider-shop');
  t.end();
});

t.test('each annotation has its effect', t => {
  const cases: readonly (readonly [Readonly<Record<string, string>>, object])[] = [
    [
      { proxyImage: 'x', proxyImagePullPolicy: 'Always' },
      { image: 'x', imagePullPolicy: 'Always' },
    ],
    [
      { proxyCPU: '1', proxyCPULimit: '1500m', proxyMemory: '1Gi', proxyMemoryLimit: '2Gi' },
      { resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1500m', memory: '2Gi' } } },
    ],
    [{ nativeSidecar: 'false' }, { restartPolicy: undefined }],
  ];
  for (const [annotations, expected] of cases) t.match(sidecarOf(podOf(inject(deployment(annotations)))), expected);
  t.same(sidecarOf(podOf(inject(deployment({ proxyMemoryLimit: 'none' })))).resources, {
    requests: { cpu: '100m', memory: '160Mi' },
  });
  const set = {
    service: 'shop',
    appPorts: 'thrift=9090',
    appAddress: '10.0.0.1',
    controlPlane: 'https://a:1,https://b:2',
    locality: 'eu/a',
    drain: '10s',
    logLevel: 'debug',
    accessLog: 'all',
  };
  t.match(variables(sidecarOf(podOf(inject(deployment(set))))), {
    OUTRIDER_SERVICE: 'shop',
    OUTRIDER_APP_PORTS: 'thrift=9090',
    OUTRIDER_APP_ADDRESS: '10.0.0.1',
    OUTRIDER_CONTROL_PLANE: 'https://a:1,https://b:2',
    OUTRIDER_LOCALITY: 'eu/a',
    OUTRIDER_DRAIN: '10s',
    OUTRIDER_LOG_LEVEL: 'debug',
    OUTRIDER_ACCESS_LOG: 'all',
  });
  t.notOk('OUTRIDER_APP_PORTS' in variables(sidecarOf(podOf(inject(deployment({ appPorts: 'none' }))))));
  t.equal(podOf(inject(deployment({ tokenSecret: 'mine' }))).spec.volumes?.[0]?.secret?.secretName, 'mine');
  const stays = deployment({ inject: 'false', typo: 'x' });
  t.equal(inject(stays), stays);
  t.end();
});

t.test('the app gets the way to its sidecar, and keeps what it sets itself', t => {
  const env = [
    { name: 'HTTP_PROXY', value: 'http://corporate:3128' },
    { name: 'NO_PROXY', value: 'x' },
  ];
  const explicit = { interception: 'none', upstreams: 'payments=9101' };
  const pod = podOf(inject(deployment(explicit, { containers: [{ name: 'app', env }] })));
  const names = pod.spec.containers[0]?.env?.map(({ name }) => name);
  t.same(names, [
    'HTTP_PROXY',
    'NO_PROXY',
    'http_proxy',
    'grpc_proxy',
    'no_proxy',
    'NODE_USE_ENV_PROXY',
    'OUTRIDER_UPSTREAM_PAYMENTS',
  ]);
  t.match(variables(pod.spec.containers[0] as Container), {
    HTTP_PROXY: 'http://corporate:3128',
    OUTRIDER_UPSTREAM_PAYMENTS: '127.0.0.1:9101',
  });
  t.equal(variables(sidecarOf(pod)).OUTRIDER_UPSTREAMS, 'payments=127.0.0.1:9101');
  t.notOk(
    pod.spec.initContainers?.some(({ name }) => name === 'outrider-init'),
    'nothing is redirected',
  );
  t.notOk('OUTRIDER_INTERCEPTION' in variables(sidecarOf(pod)));
  const without = podOf(inject(deployment({ ...explicit, proxyEnv: 'false' })));
  t.same(without.spec.containers[0]?.env, [{ name: 'OUTRIDER_UPSTREAM_PAYMENTS', value: '127.0.0.1:9101' }]);
  t.end();
});

t.test('an app whose connections are redirected is told nothing', t => {
  const pod = podOf(inject(deployment({ upstreams: 'payments=9101' })));
  t.same(pod.spec.containers[0]?.env, [{ name: 'OUTRIDER_UPSTREAM_PAYMENTS', value: '127.0.0.1:9101' }]);
  t.equal(variables(sidecarOf(pod)).OUTRIDER_INTERCEPTION, 'redirect');
  t.match(initOf(pod), {
    image: OPTIONS.initImage,
    securityContext: {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { add: ['NET_ADMIN', 'NET_RAW'], drop: ['ALL'] },
    },
  });
  t.notOk('args' in initOf(pod), 'its own defaults');
  const some = {
    initImage: 'y',
    proxyImagePullPolicy: 'Never',
    includeInboundPorts: '80,8000-8100',
    excludeInboundPorts: '81',
    includeOutboundPorts: '*',
    excludeOutboundPorts: '5432',
    includeOutboundIPRanges: '10.0.0.0/8',
    excludeOutboundIPRanges: '10.1.0.0/16,fd00::/8',
    excludeInterfaces: 'eth1',
  };
  t.match(initOf(podOf(inject(deployment(some)))), {
    image: 'y',
    imagePullPolicy: 'Never',
    args: [
      '--inbound-ports=80,8000-8100',
      '--exclude-inbound-ports=81',
      '--outbound-ports=*',
      '--exclude-outbound-ports=5432',
      '--include-cidrs=10.0.0.0/8',
      '--exclude-cidrs=10.1.0.0/16,fd00::/8',
      '--exclude-interfaces=eth1',
    ],
  });
  const asked = podOf(inject(deployment({ proxyEnv: 'true' })));
  t.match(asked.spec.containers[0]?.env, [{ name: 'HTTP_PROXY', value: 'http://127.0.0.1:15001' }]);
  t.end();
});

t.test("probes of the app's ports go to the sidecar, which makes them from within the pod", t => {
  const app = {
    name: 'app',
    ports: [{ name: 'web', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/ok', port: 'web', scheme: 'HTTPS' }, timeoutSeconds: 5, periodSeconds: 3 },
    livenessProbe: { tcpSocket: { port: 8080 } },
    startupProbe: { grpc: { port: 9090, service: 'a.B' } },
  };
  const stays = {
    name: 'other',
    readinessProbe: { exec: { command: ['true'] } },
    livenessProbe: { httpGet: { host: '10.0.0.1', port: 80 } },
    startupProbe: { tcpSocket: { port: 'nobody' } },
  };
  const source = (annotations = {}) => deployment(annotations, { containers: [app, stays] });
  const pod = podOf(inject(source()));
  const probe = (word: string) => ({ httpGet: { path: `/app-health/app/${word}`, port: 15_020 } });
  t.match(pod.spec.containers[0], {
    readinessProbe: { ...probe('readyz'), timeoutSeconds: 5, periodSeconds: 3 },
    livenessProbe: probe('livez'),
    startupProbe: probe('startupz'),
  });
  t.notMatch(pod.spec.containers[0], { livenessProbe: { tcpSocket: Object } });
  t.same(pod.spec.containers[1], stays);
  t.same(JSON.parse(variables(sidecarOf(pod)).OUTRIDER_APP_PROBES ?? ''), {
    '/app-health/app/readyz': { httpGet: { path: '/ok', port: 8080, scheme: 'HTTPS' }, timeoutSeconds: 5 },
    '/app-health/app/livez': { tcpSocket: { port: 8080 } },
    '/app-health/app/startupz': { grpc: { port: 9090, service: 'a.B' } },
  });
  for (const annotations of [{ rewriteProbes: 'false' }, { interception: 'none' }]) {
    const left = podOf(inject(source(annotations)));
    t.same(left.spec.containers.at(-2)?.readinessProbe, app.readinessProbe);
    t.notOk('OUTRIDER_APP_PROBES' in variables(sidecarOf(left)));
  }
  t.end();
});

t.test("the app's own annotations for Prometheus stay", t => {
  const source = deployment().replace('"annotations":{}', '"annotations":{"prometheus.io/port":"9000"}');
  t.same(podOf(inject(source)).metadata.annotations, {
    'prometheus.io/port': '9000',
    'sidecar.outrider.mesh/status': '1.2.3',
  });
  t.end();
});

t.test('what cannot be done is refused with document, kind and name', t => {
  const cases: readonly (readonly [RegExp, string, Partial<InjectOptions>?])[] = [
    [/hostNetwork/, deployment({}, { hostNetwork: true })],
    [/hostPID/, deployment({}, { hostPID: true })],
    [/user or group \(1337\)/, deployment({}, { securityContext: { runAsUser: 1337 } })],
    [
      /container app with .* \(1337\)/,
      deployment({}, { containers: [{ name: 'app', securityContext: { runAsGroup: 1337 } }] }),
    ],
    [/container outrider-init already/, deployment({}, { initContainers: [{ name: 'outrider-init' }] })],
    [/mesh\/interception must be redirect or none, not "tproxy"/, deployment({ interception: 'tproxy' })],
    [/mesh\/initImage must be/, deployment({ initImage: '' })],
    [/mesh\/excludeInboundPorts is "http", but must be ports/, deployment({ excludeInboundPorts: 'http' })],
    [/mesh\/includeInboundPorts names 22, which is never taken/, deployment({ includeInboundPorts: '22' })],
    [
      /has no probe that can be made/,
      deployment({}, { containers: [{ name: 'app', livenessProbe: { tcpSocket: { port: 0 } } }] }),
    ],
    [/Windows/, deployment({}, { os: { name: 'windows' } })],
    [/Windows/, deployment({}, { nodeSelector: { 'kubernetes.io/os': 'windows' } })],
    [/no containers/, deployment({}, { containers: [] })],
    [/sidecar of Istio/, deployment({}, { containers: [{ name: 'app' }, { name: 'istio-proxy' }] })],
    [/sidecar of Linkerd/, deployment({}, { initContainers: [{ name: 'linkerd-proxy' }] })],
    [/somebody else's hand/, deployment({}, { containers: [{ name: 'outrider-sidecar' }] })],
    [/volume outrider-state/, deployment({}, { volumes: [{ name: 'outrider-state' }] })],
    [
      /port 15001, the sidecar's own \(outbound\)/,
      deployment({}, { containers: [{ name: 'app', ports: [{ containerPort: 15_001 }] }] }),
    ],
    [/port 80, which is to lead to x/, deployment({ upstreams: 'x=80' })],
    [/port 15006 for the upstream x/, deployment({ upstreams: 'x=15006' })],
    [/port 1 for two upstreams, x and y/, deployment({ upstreams: 'x=1,y=1' })],
    [/OnFailure/, deployment({}, { restartPolicy: 'OnFailure' }), { classic: true }],
    [
      /shareProcessNamespace/,
      deployment({}, { restartPolicy: 'Never', shareProcessNamespace: false }),
      { classic: true },
    ],
    [/has the annotation .*status, but no container/, deployment({ status: '1' })],
    [/annotation sidecar.outrider.mesh\/proxyCpu is not one/, deployment({ proxyCpu: '1' })],
    [/proxyCPU must be a quantity .*, not "much"/, deployment({ proxyCPU: 'much' })],
    [/proxyImage must be/, deployment({ proxyImage: '' })],
    [/proxyImagePullPolicy must be one of/, deployment({ proxyImagePullPolicy: 'never' })],
    [/tokenSecret must be/, deployment({ tokenSecret: 'A B' })],
    [/nativeSidecar must be "true" or "false"/, deployment({ nativeSidecar: 'yes' })],
    [/upstreams must be/, deployment({ upstreams: 'x' })],
    [/drain must be at most/, deployment({ drain: '31s' })],
    [/mesh\/service must be a DNS name/, deployment({ service: 'A B' })],
    [/mesh\/appPorts must be ports/, deployment({ appPorts: 'soap=1' })],
  ];
  for (const [pattern, source, options] of cases) {
    const [problem = '', ...more] = problemsOf(`kind: x\n---\n${source}`, options);
    t.match(problem, pattern);
    t.match(problem, /^app\.yaml: document 2: Deployment "web" /);
    t.same(more, [], 'one sentence for one problem');
  }
  t.end();
});

t.test('what stands for something else is not changed behind its back', t => {
  const pod = (spec: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nx: &x {containers: [{name: a}]}\ny: &y {name: b}\nspec: ${spec}\n`;
  t.match(problemsOf(pod('*x')), [/alias at spec/]);
  t.match(problemsOf(pod('{<<: *x}')), [/merge key \(<<\) at spec/]);
  t.match(problemsOf(pod('{containers: [*y]}'), { interception: 'none' }), [/alias at spec.containers\[0\]/]);
  t.match(problemsOf('apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}], volumes: 3}'), [
    /a list at spec.volumes/,
  ]);
  t.match(
    problemsOf('apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: [a]}\nspec: {containers: [{name: a}]}'),
    [/a map at metadata.annotations/],
  );
  t.match(problemsOf('apiVersion: v1\nkind: List\nitems: {}'), []);
  t.end();
});

t.test('broken YAML is named by file and document', t => {
  t.throws(() => problemsOf('a: 1\n---\na: {'), /^app\.yaml: document 2: the YAML is broken: /);
  t.throws(() => problemsOf('a: *b'), /^app\.yaml: the YAML is broken: Unresolved alias/);
  t.end();
});

t.test('values that YAML 1.1 would misread are quoted', t => {
  const text = inject(
    'apiVersion: v1\nkind: Pod\nmetadata:\n  name: "on"\n  annotations:\n    sidecar.outrider.mesh/locality: "0644"\n    sidecar.outrider.mesh/proxyCPU: "1"\nspec:\n  containers:\n  - name: a\n',
  );
  const { spec } = parse(text, { version: '1.1' }) as { spec: PodSpec };
  t.match(variables(spec.initContainers?.[1] as Container), { OUTRIDER_SERVICE: 'on', OUTRIDER_LOCALITY: '0644' });
  t.match(spec.initContainers?.[1]?.resources, { requests: { cpu: '1' } });
  t.end();
});
