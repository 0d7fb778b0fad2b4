import t from 'tap';
import { Admitter, objectSchema } from '../../../api/admission.ts';
import { GRPC_ROUTE } from '../../../api/grpc-route.ts';
import { HTTP_ROUTE } from '../../../api/http-route.ts';
import { KINDS, kindOf } from '../../../api/kinds.ts';
import { PEER_AUTHENTICATION } from '../../../api/peer-authentication.ts';
import { apiVersionOf, type ResourceKind } from '../../../api/resource-kind.ts';
import { RPC_ROUTE } from '../../../api/rpc-route.ts';
import { SERVICE } from '../../../api/service.ts';
import { TRAFFIC_POLICY } from '../../../api/traffic-policy.ts';
import { WORKLOAD } from '../../../api/workload.ts';

const admitter = new Admitter();

const admit = (kind: ResourceKind, spec: object | undefined, metadata: object = {}) =>
  admitter.admit(kind, {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { name: 'web', ...(kind.namespaced ? { namespace: 'default' } : {}), ...metadata },
    ...(spec === undefined ? {} : { spec }),
  });

const PARENTS = { parentRefs: [{ group: '', kind: 'Service', name: 'web' }] };

/** Each spec has exactly these wrong fields. */
const wrong = (
  name: string,
  kind: ResourceKind,
  spec: object | undefined,
  fields: readonly string[],
  metadata?: object,
) =>
  t.test(name, t => {
    const { causes } = admit(kind, spec, metadata);
    t.same(
      causes.map(cause => cause.field),
      fields,
      JSON.stringify(causes),
    );
    for (const { field, message } of causes) t.match(message, /must (be|have|not be) /, field);
    t.end();
  });

t.test('defaults are as in the Gateway API', t => {
  const { object, causes, warnings } = admit(HTTP_ROUTE, {
    ...PARENTS,
    rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
  });
  t.same(causes, []);
  t.same(warnings, []);
  t.same(object.spec, {
    ...PARENTS,
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/' } }],
        backendRefs: [{ group: '', kind: 'Service', name: 'web', port: 80, weight: 1 }],
      },
    ],
  });
  t.match(admit(HTTP_ROUTE, undefined).object.spec, { rules: [{ matches: [{ path: { value: '/' } }] }] });
  t.match(admit(HTTP_ROUTE, { rules: [{ matches: [{ headers: [{ name: 'a', value: 'b' }] }] }] }).object.spec, {
    rules: [{ matches: [{ path: { value: '/' }, headers: [{ type: 'Exact' }] }] }],
  });
  t.end();
});

t.test('the input stays as it was, and null is as good as absent', t => {
  const spec = { ports: [{ port: 80, name: null }], selector: null };
  const before = JSON.stringify(spec);
  const { object, causes } = admit(SERVICE, spec);
  t.same(causes, []);
  t.same(object.spec, { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }] });
  t.equal(JSON.stringify(spec), before);
  t.end();
});

t.test('unknown fields are errors, warnings or dropped', t => {
  const input = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { ports: [{ port: 80, prot: 1 }] },
  };
  t.match(admitter.admit(SERVICE, input).causes, [
    { field: 'spec.ports[0].prot', reason: 'FieldValueForbidden', message: /did you mean "port"/ },
  ]);
  for (const [mode, warnings] of [
    ['Warn', ['unknown field "spec.ports[0].prot"']],
    ['Ignore', []],
  ] as const) {
    const admission = admitter.admit(SERVICE, input, mode);
    t.same(admission.causes, []);
    t.same(admission.warnings, warnings);
    t.same((admission.object.spec as { ports: object[] }).ports, [{ port: 80, protocol: 'TCP' }]);
  }
  t.end();
});

t.test('every wrong field is named at once, once', t => {
  const { causes } = admit(SERVICE, { type: 'Foo', ports: [{ port: 0, targetPort: true }], selector: { a: 1 } });
  t.same(
    Object.entries(Object.fromEntries(causes.map(cause => [cause.field, cause.reason]))).toSorted((a, b) =>
      a[0] < b[0] ? -1 : 1,
    ),
    [
      ['spec.ports[0].port', 'FieldValueInvalid'],
      ['spec.ports[0].targetPort', 'FieldValueTypeInvalid'],
      ['spec.selector.a', 'FieldValueTypeInvalid'],
      ['spec.type', 'FieldValueNotSupported'],
    ],
  );
  t.end();
});

t.test('fields that have no effect are warned about', t => {
  const { warnings } = admit(SERVICE, { ports: [{ port: 80, nodePort: 30_000 }], externalTrafficPolicy: 'Local' });
  t.same(
    warnings.map(warning => warning.split(' ')[0]),
    ['spec.ports[0].nodePort', 'spec.externalTrafficPolicy'],
  );
  t.match(admit(HTTP_ROUTE, { hostnames: ['a'], rules: [{}] }).warnings, [/spec.hostnames/, /spec.parentRefs/]);
  t.match(admit(HTTP_ROUTE, { parentRefs: [{ name: 'gateway' }] }).warnings, [/Gateway has no effect here/]);
  t.match(admit(SERVICE, { ports: [{ port: 80, appProtocol: 'mqtt' }] }).warnings, [/carried as tcp/]);
  t.end();
});

wrong('a Service needs ports', SERVICE, {}, ['spec.ports']);
wrong('unless it is an alias, which needs a name', SERVICE, { type: 'ExternalName' }, ['spec.externalName']);
wrong('only an alias has one', SERVICE, { ports: [{ port: 80 }], externalName: 'a.b' }, ['spec.externalName']);
wrong(
  'ports of a Service are unique',
  SERVICE,
  {
    ports: [
      { name: 'a', port: 80 },
      { name: 'a', port: 80 },
    ],
  },
  ['spec.ports[1].name', 'spec.ports[1].port'],
);
wrong('a Workload needs an address and ports', WORKLOAD, {}, ['spec.address', 'spec.ports']);
wrong('an address has no port', WORKLOAD, { address: 'a:80', ports: [{ port: 80 }] }, ['spec.address']);
wrong('a sidecar has an identity', WORKLOAD, { address: 'a', ports: [{ port: 80 }], sidecarPort: 15_006 }, [
  'spec.serviceAccount',
]);
wrong(
  'ports of a Workload are unique',
  WORKLOAD,
  {
    address: '::1',
    ports: [
      { port: 1, name: 'a' },
      { port: 1, name: 'a' },
    ],
  },
  ['spec.ports[1].port', 'spec.ports[1].name'],
);
wrong(
  'a redirect has no backends and no rewrite',
  HTTP_ROUTE,
  {
    rules: [
      {
        filters: [
          { type: 'RequestRedirect', requestRedirect: {} },
          { type: 'URLRewrite', urlRewrite: {} },
        ],
        backendRefs: [{ name: 'a', port: 1 }],
      },
    ],
  },
  ['spec.rules[0].backendRefs', 'spec.rules[0].filters[0].type'],
);
wrong(
  'a filter has its member and no other',
  HTTP_ROUTE,
  { rules: [{ filters: [{ type: 'URLRewrite', requestHeaderModifier: {} }] }] },
  ['spec.rules[0].filters[0].requestHeaderModifier', 'spec.rules[0].filters[0].urlRewrite'],
);
wrong(
  'a filter is there once',
  HTTP_ROUTE,
  {
    rules: [
      {
        filters: [
          { type: 'URLRewrite', urlRewrite: {} },
          { type: 'URLRewrite', urlRewrite: {} },
        ],
      },
    ],
  },
  ['spec.rules[0].filters[1].type'],
);
wrong(
  'a prefix is replaced only where prefixes match',
  HTTP_ROUTE,
  {
    rules: [
      {
        matches: [{ path: { type: 'Exact', value: '/a' } }],
        filters: [
          { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } },
        ],
      },
    ],
  },
  ['spec.rules[0].filters[0].urlRewrite.path.type'],
);
const MIRROR = { requestMirror: { backendRef: { name: 'a' } } };
for (const kind of [HTTP_ROUTE, GRPC_ROUTE])
  wrong(
    `${kind.kind}: a mirror is a Service with a port`,
    kind,
    { rules: [{ filters: [{ type: 'RequestMirror', ...MIRROR }] }] },
    ['spec.rules[0].filters[0].requestMirror.backendRef.port'],
  );
wrong(
  'RPCRoute: a mirror is a Service with a port',
  RPC_ROUTE,
  { rules: [{ backendRefs: [], mirror: { backendRef: { name: 'a', kind: 'Pod' } } }] },
  ['spec.rules[0].mirror.backendRef.kind'],
);
wrong(
  'a mirror belongs to the rule',
  HTTP_ROUTE,
  { rules: [{ backendRefs: [{ name: 'a', port: 1, filters: [{ type: 'RequestMirror', ...MIRROR }] }] }] },
  ['spec.rules[0].backendRefs[0].filters[0].requestMirror', 'spec.rules[0].backendRefs[0].filters[0].type'],
);
wrong(
  'a redirect of the path says how',
  HTTP_ROUTE,
  { rules: [{ filters: [{ type: 'RequestRedirect', requestRedirect: { path: { type: 'ReplaceFullPath' } } }] }] },
  ['spec.rules[0].filters[0].requestRedirect.path.replaceFullPath'],
);
wrong(
  'a header is matched once, in any case',
  HTTP_ROUTE,
  {
    rules: [
      {
        matches: [
          {
            headers: [
              { name: 'a', value: 'x' },
              { name: 'A', value: 'y' },
            ],
          },
        ],
      },
    ],
  },
  ['spec.rules[0].matches[0].headers[1].name'],
);
wrong(
  'a header expression compiles',
  HTTP_ROUTE,
  { rules: [{ matches: [{ headers: [{ type: 'RegularExpression', name: 'a', value: '[' }] }] }] },
  ['spec.rules[0].matches[0].headers[0].value'],
);
wrong(
  'a backreference needs more than linear time, and is no expression here',
  HTTP_ROUTE,
  { rules: [{ matches: [{ path: { type: 'RegularExpression', value: '(a)\\1' } }] }] },
  ['spec.rules[0].matches[0].path.value'],
);
wrong('a backend is a Service', HTTP_ROUTE, { rules: [{ backendRefs: [{ kind: 'Bucket', name: 'a' }] }] }, [
  'spec.rules[0].backendRefs[0].kind',
]);
wrong('rules have names of their own', HTTP_ROUTE, { rules: [{ name: 'a' }, { name: 'a' }] }, ['spec.rules[1].name']);
wrong('a parent is named once', HTTP_ROUTE, { parentRefs: [...PARENTS.parentRefs, ...PARENTS.parentRefs] }, [
  'spec.parentRefs[1]',
]);
wrong('a gRPC match has a service or a method', GRPC_ROUTE, { rules: [{ matches: [{ method: {} }] }] }, [
  'spec.rules[0].matches[0].method',
]);
wrong('gRPC names are names', GRPC_ROUTE, { rules: [{ matches: [{ method: { service: 'a/b', method: 'c d' } }] }] }, [
  'spec.rules[0].matches[0].method.service',
  'spec.rules[0].matches[0].method.method',
]);
wrong(
  'an RPC match has a service or a method',
  RPC_ROUTE,
  { rules: [{ matches: [{ method: {} }], backendRefs: [] }] },
  ['spec.rules[0].matches[0].method'],
);
wrong(
  'RPC names are names, and expressions compile',
  RPC_ROUTE,
  {
    rules: [
      { matches: [{ method: { service: '/remoting/accounts' } }, { method: { service: 'a:b' } }], backendRefs: [] },
      { matches: [{ method: { type: 'RegularExpression', method: '(' } }], backendRefs: [] },
    ],
  },
  ['spec.rules[0].matches[1].method.service', 'spec.rules[1].matches[0].method.method'],
);
wrong('only what is idempotent is retried', RPC_ROUTE, { rules: [{ backendRefs: [], retry: { attempts: 1 } }] }, [
  'spec.rules[0].retry',
]);
wrong(
  'one attempt of a call takes no longer than all',
  RPC_ROUTE,
  { rules: [{ backendRefs: [], timeouts: { request: '1s', backendRequest: '2s' } }] },
  ['spec.rules[0].timeouts.backendRequest'],
);
wrong(
  'gRPC expressions compile',
  GRPC_ROUTE,
  { rules: [{ matches: [{ method: { type: 'RegularExpression', service: '(', method: '(' } }] }] },
  ['spec.rules[0].matches[0].method.service', 'spec.rules[0].matches[0].method.method'],
);
wrong(
  'a gRPC filter and backend are checked too',
  GRPC_ROUTE,
  { rules: [{ filters: [{ type: 'RequestHeaderModifier' }], backendRefs: [{ name: 'a' }] }] },
  ['spec.rules[0].filters[0].requestHeaderModifier', 'spec.rules[0].backendRefs[0].port'],
);
wrong(
  'times of a TrafficPolicy make sense',
  TRAFFIC_POLICY,
  {
    timeouts: { connect: '0s' },
    retryBudget: { window: '10ms' },
    outlierDetection: { baseEjection: '10s', maxEjection: '5s' },
  },
  ['spec.timeouts.connect', 'spec.retryBudget.window', 'spec.outlierDetection.maxEjection'],
);
wrong(
  'authorities that are trusted are certificates',
  TRAFFIC_POLICY,
  { tls: { hostname: 'API.example', caCertificates: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' } },
  ['spec.tls.hostname'],
);
wrong(
  'authorities that are trusted are whole certificates',
  TRAFFIC_POLICY,
  { tls: { caCertificates: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' } },
  ['spec.tls.caCertificates'],
);
wrong(
  'a health check has one kind, and times that make sense',
  TRAFFIC_POLICY,
  { healthCheck: { http: { path: '/' }, grpc: {}, interval: '50ms', timeout: '0s' } },
  ['spec.healthCheck.grpc', 'spec.healthCheck.interval', 'spec.healthCheck.timeout'],
);
wrong(
  'a path and a host are what a request line and a Host can say',
  TRAFFIC_POLICY,
  { healthCheck: { http: { path: 'healthz', host: 'a\r\nb' }, port: 0, healthyThreshold: 0 } },
  [
    'spec.healthCheck.port',
    'spec.healthCheck.http.path',
    'spec.healthCheck.http.host',
    'spec.healthCheck.healthyThreshold',
  ],
);
wrong(
  'statuses are one status or a range of them',
  TRAFFIC_POLICY,
  { healthCheck: { http: { path: '/', expectedStatuses: [200, '200-299', 99, '299-200', 'ok'] } } },
  [2, 3, 4].map(i => `spec.healthCheck.http.expectedStatuses[${i}]`),
);
wrong('a policy for the mesh has no target', TRAFFIC_POLICY, { targetRefs: [{ name: 'a' }] }, ['spec.targetRefs'], {
  namespace: 'outrider-system',
});
wrong('modes of ports need a selector', PEER_AUTHENTICATION, { portLevelMtls: { 80: { mode: 'STRICT' } } }, [
  'spec.selector',
]);
wrong(
  'ports are numbers',
  PEER_AUTHENTICATION,
  { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { http: { mode: 'STRICT' } } },
  ['spec.portLevelMtls.http'],
);
wrong(
  'a PeerAuthentication for the mesh has no selector',
  PEER_AUTHENTICATION,
  { selector: { matchLabels: { a: 'b' } } },
  ['spec.selector'],
  { namespace: 'outrider-system' },
);

t.test('every kind is found by its name, and its schema says everything', t => {
  for (const kind of KINDS) {
    t.equal(kindOf(apiVersionOf(kind), kind.kind), kind);
    const look = (schema: ReturnType<typeof objectSchema>, path: string): void => {
      for (const [name, inner] of Object.entries(schema.properties ?? {})) {
        t.ok(inner.description, `${path}.${name} has a description`);
        look(inner, `${path}.${name}`);
      }
      if (schema.items !== undefined) look(schema.items, `${path}[]`);
    };
    look(objectSchema(kind), kind.kind);
  }
  t.equal(kindOf('v1', 'HTTPRoute'), undefined);
  t.end();
});
