import t from 'tap';
import { type Requested, RestClient, startControlPlane } from '../support/rest-client.ts';

/** One bad request: what is sent, and what the answer must say. */
interface Case {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly request: Requested;
  readonly status: number;
  readonly reason: string;
  /** In the message. */
  readonly says: RegExp;
  /** Of `details.causes`. */
  readonly field?: string;
}

const SERVICES = '/api/v1/namespaces/default/services';
const ROUTES = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes';
const POLICIES = '/apis/outrider.mesh/v1/namespaces/default/trafficpolicies';
const YAML = { 'content-type': 'application/yaml' };

const route = (rule: object, spec: object = {}) => ({
  body: {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'bad' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'web' }], rules: [rule], ...spec },
  },
});

const service = (spec: object, metadata: object = {}) => ({
  body: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'bad', ...metadata }, spec },
});

const PORTS = [{ port: 80 }];
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const bomb = `a: &a [${'x,'.repeat(9)}x]\n${'bcdefgh'
  .split('')
  .map((name, i) => `${name}: &${name} [${`*${'abcdefg'[i]},`.repeat(9)}*${'abcdefg'[i]}]`)
  .join('\n')}\n`;

const CASES: readonly Case[] = [
  {
    name: 'an unknown field',
    request: service({ ports: PORTS, selektor: {} }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.selektor',
    says: /did you mean "selector"/,
  },
  {
    name: 'an unknown field deep down',
    path: ROUTES,
    request: route({ backendRefs: [{ name: 'web', port: 80, wait: 1 }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].backendRefs[0].wait',
    says: /fields here are .*weight/,
  },
  {
    name: 'a wrong type',
    request: service({ ports: [{ port: '80' }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.ports[0].port',
    says: /must be an integer from 1 to 65535, not "80"/,
  },
  {
    name: 'a list that is an object',
    request: service({ ports: {} }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.ports',
    says: /must be a list/,
  },
  {
    name: 'a missing field',
    request: service({ ports: [{ name: 'http' }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.ports[0].port',
    says: /must be set: an integer/,
  },
  {
    name: 'no spec',
    request: { body: { metadata: { name: 'bad' } } },
    status: 422,
    reason: 'Invalid',
    field: 'spec',
    says: /must be set/,
  },
  {
    name: 'no name',
    request: { body: { spec: { ports: PORTS } } },
    status: 422,
    reason: 'Invalid',
    field: 'metadata.name',
    says: /must be set/,
  },
  {
    name: 'a name with a dot',
    request: service({ ports: PORTS }, { name: 'a.b' }),
    status: 422,
    reason: 'Invalid',
    field: 'metadata.name',
    says: /letters, digits and "-"/,
  },
  {
    name: 'a bad label',
    request: service({ ports: PORTS }, { labels: { 'a b': 'c' } }),
    status: 422,
    reason: 'Invalid',
    field: 'metadata.labels["a b"]',
    says: /label name/,
  },
  {
    name: 'two ports without names',
    request: service({ ports: [{ port: 80 }, { port: 81 }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.ports[0].name',
    says: /several ports/,
  },
  {
    name: 'a bad duration',
    path: ROUTES,
    request: route({ timeouts: { request: '10 sec' } }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].timeouts.request',
    says: /duration such as "10s"/,
  },
  {
    name: 'a duration without a unit',
    path: ROUTES,
    request: route({ timeouts: { request: 10 } }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].timeouts.request',
    says: /duration such as "10s".*, not 10/,
  },
  {
    name: 'an attempt longer than the whole',
    path: ROUTES,
    request: route({ timeouts: { request: '1s', backendRequest: '2s' } }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].timeouts.backendRequest',
    says: /at most timeouts.request/,
  },
  {
    name: 'a negative weight',
    path: ROUTES,
    request: route({ backendRefs: [{ name: 'web', port: 80, weight: -1 }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].backendRefs[0].weight',
    says: /from 0 to 1000000, not -1/,
  },
  {
    name: 'a backend without a port',
    path: ROUTES,
    request: route({ backendRefs: [{ name: 'web' }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].backendRefs[0].port',
    says: /must be a port/,
  },
  {
    name: 'a parent without its group',
    path: ROUTES,
    request: route({}, { parentRefs: [{ kind: 'Service', name: 'web' }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.parentRefs[0].group',
    says: /must be ""/,
  },
  {
    name: 'a broken regular expression',
    path: ROUTES,
    request: route({ matches: [{ path: { type: 'RegularExpression', value: '(' } }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].matches[0].path.value',
    says: /regular expression/,
  },
  {
    name: 'a path that goes up',
    path: ROUTES,
    request: route({ matches: [{ path: { value: '/a/../b' } }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].matches[0].path.value',
    says: /must begin with/,
  },
  {
    name: 'a line break in a header',
    path: ROUTES,
    request: route({
      filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'a', value: 'b\r\nc: d' }] } }],
    }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].filters[0].requestHeaderModifier.set[0].value',
    says: /control characters/,
  },
  {
    name: 'a header that belongs to the connection',
    path: ROUTES,
    request: route({
      filters: [{ type: 'ResponseHeaderModifier', responseHeaderModifier: { remove: ['Transfer-Encoding'] } }],
    }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].filters[0].responseHeaderModifier.remove[0]',
    says: /must not be Transfer-Encoding: it belongs to the connection/,
  },
  {
    name: 'a filter that is not there',
    path: ROUTES,
    request: route({ filters: [{ type: 'ExtensionRef' }] }),
    status: 422,
    reason: 'Invalid',
    field: 'spec.rules[0].filters[0].type',
    says: /must be one of/,
  },
  {
    name: 'a ratio over 100',
    path: POLICIES,
    request: { body: { metadata: { name: 'bad' }, spec: { retryBudget: { percent: 120 } } } },
    status: 422,
    reason: 'Invalid',
    field: 'spec.retryBudget.percent',
    says: /from 0 to 100/,
  },
  {
    name: 'broken YAML',
    request: { body: 'a: b: c', headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /YAML is broken: .* line 1/,
  },
  {
    name: 'YAML with a key twice',
    request: { body: 'a: 1\na: 2', headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /"a" is there twice/,
  },
  {
    name: 'two YAML documents',
    request: { body: 'a: 1\n---\na: 2', headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /one YAML document, not 2/,
  },
  {
    name: 'a YAML bomb',
    request: { body: bomb, headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /alias|values/,
  },
  {
    name: 'a YAML alias to itself',
    request: { body: 'a: &a {b: *a}', headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /nested|alias/,
  },
  { name: 'broken JSON', request: { body: '{"a"' }, status: 400, reason: 'BadRequest', says: /JSON is broken/ },
  { name: 'JSON that is a list', request: { body: '[]' }, status: 400, reason: 'BadRequest', says: /one object/ },
  { name: 'an empty body', request: { body: '' }, status: 400, reason: 'BadRequest', says: /JSON is broken/ },
  {
    name: 'bytes that are not UTF-8',
    request: { body: Buffer.from([0x7b, 0xff, 0x7d]) },
    status: 400,
    reason: 'BadRequest',
    says: /UTF-8/,
  },
  {
    name: 'deep JSON',
    request: { body: nested(100_000) },
    status: 400,
    reason: 'BadRequest',
    says: /nested deeper than 64/,
  },
  {
    name: 'deep YAML',
    request: { body: '['.repeat(100_000), headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /nested deeper than 64/,
  },
  {
    name: 'YAML deep by indentation',
    request: { body: Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /nested|broken/,
  },
  {
    name: 'a key __proto__ in JSON',
    request: { body: '{"metadata":{"name":"bad","labels":{"__proto__":{"x":"y"}}}}' },
    status: 400,
    reason: 'BadRequest',
    says: /metadata\.labels\.__proto__ must be absent/,
  },
  {
    name: 'a key __proto__ in YAML',
    request: { body: '__proto__: {x: y}', headers: YAML },
    status: 400,
    reason: 'BadRequest',
    says: /__proto__ must be absent/,
  },
  {
    name: 'more values than anybody writes',
    request: { body: JSON.stringify({ a: Array.from({ length: 30_000 }, () => 1) }) },
    status: 400,
    reason: 'BadRequest',
    says: /more than 20000 values/,
  },
  {
    name: 'a 20 MB body',
    request: { body: Buffer.alloc(20_000_000, ' ') },
    status: 413,
    reason: 'RequestEntityTooLarge',
    says: /larger than 3 MiB/,
  },
  {
    name: 'a foreign content type',
    request: { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    reason: 'UnsupportedMediaType',
    says: /application\/json or application\/yaml/,
  },
  {
    name: 'another kind than the path',
    path: ROUTES,
    request: service({ ports: PORTS }),
    status: 400,
    reason: 'BadRequest',
    says: /takes gateway.networking.k8s.io\/v1 HTTPRoute/,
  },
  {
    name: 'another namespace than the path',
    request: service({ ports: PORTS }, { namespace: 'other' }),
    status: 400,
    reason: 'BadRequest',
    says: /must be "default"/,
  },
  {
    name: 'a namespace that is not there',
    path: '/api/v1/namespaces/nowhere/services',
    request: service({ ports: PORTS }),
    status: 404,
    reason: 'NotFound',
    says: /namespaces "nowhere" not found/,
  },
  {
    name: 'a name that is taken',
    request: service({ ports: PORTS }, { name: 'web' }),
    status: 409,
    reason: 'AlreadyExists',
    says: /already exists/,
  },
  {
    name: 'a stale resourceVersion',
    method: 'PUT',
    path: `${SERVICES}/web`,
    request: service({ ports: [{ port: 99 }] }, { name: 'web', resourceVersion: '1' }),
    status: 409,
    reason: 'Conflict',
    says: /has been modified: it is at resourceVersion \d+, not 1/,
  },
  {
    name: 'a stale resourceVersion, tried dry',
    method: 'PUT',
    path: `${SERVICES}/web?dryRun=All`,
    request: service({ ports: [{ port: 99 }] }, { name: 'web', resourceVersion: '1' }),
    status: 409,
    reason: 'Conflict',
    says: /modified/,
  },
  {
    name: 'a name other than the path',
    method: 'PUT',
    path: `${SERVICES}/web`,
    request: service({ ports: PORTS }),
    status: 400,
    reason: 'BadRequest',
    says: /must be "web"/,
  },
  {
    name: 'a patch to something wrong',
    method: 'PATCH',
    path: `${SERVICES}/web`,
    request: { body: { spec: { ports: [{ port: 0 }] } }, headers: { 'content-type': 'application/merge-patch+json' } },
    status: 422,
    reason: 'Invalid',
    field: 'spec.ports[0].port',
    says: /from 1 to 65535/,
  },
  {
    name: 'a JSON patch that does not fit',
    method: 'PATCH',
    path: `${SERVICES}/web`,
    request: {
      body: [{ op: 'test', path: '/spec/type', value: 'x' }],
      headers: { 'content-type': 'application/json-patch+json' },
    },
    status: 422,
    reason: 'Invalid',
    says: /operation 0: the test failed/,
  },
  {
    name: 'a strategic patch of a custom kind',
    method: 'PATCH',
    path: `${POLICIES}/x`,
    request: { body: {}, headers: { 'content-type': 'application/strategic-merge-patch+json' } },
    status: 415,
    reason: 'UnsupportedMediaType',
    says: /must be one of/,
  },
  {
    name: 'a server-side apply',
    method: 'PATCH',
    path: `${SERVICES}/web`,
    request: { body: {}, headers: { 'content-type': 'application/apply-patch+yaml' } },
    status: 415,
    reason: 'UnsupportedMediaType',
    says: /must be one of/,
  },
  {
    name: 'a delete of another object of that name',
    method: 'DELETE',
    path: `${SERVICES}/web`,
    request: { body: { preconditions: { uid: 'x' } } },
    status: 409,
    reason: 'Conflict',
    says: /uid/,
  },
  {
    name: 'a delete of what is not there',
    method: 'DELETE',
    path: `${SERVICES}/none`,
    request: {},
    status: 404,
    reason: 'NotFound',
    says: /services "none" not found/,
  },
  {
    name: 'a delete of the default namespace',
    method: 'DELETE',
    path: '/api/v1/namespaces/default',
    request: {},
    status: 403,
    reason: 'Forbidden',
    says: /may not be deleted/,
  },
  {
    name: 'a Sidecar written by hand',
    path: '/apis/outrider.mesh/v1/namespaces/default/sidecars',
    request: { body: { metadata: { name: 'x' } } },
    status: 405,
    reason: 'MethodNotAllowed',
    says: /only GET/,
  },
  {
    name: 'a MeshConfig of another name',
    path: '/apis/outrider.mesh/v1/meshconfigs',
    request: { body: { metadata: { name: 'mine' } } },
    status: 422,
    reason: 'Invalid',
    field: 'metadata.name',
    says: /must be "default"/,
  },
  {
    name: 'a path that is not there',
    method: 'GET',
    path: '/api/v1/pods',
    request: {},
    status: 404,
    reason: 'NotFound',
    says: /could not find/,
  },
  {
    name: 'a selector that is none',
    method: 'GET',
    path: `${SERVICES}?labelSelector=${encodeURIComponent('a in b')}`,
    request: {},
    status: 400,
    reason: 'BadRequest',
    says: /must be like app=web/,
  },
  {
    name: 'a field selector that is not known',
    method: 'GET',
    path: `${SERVICES}?fieldSelector=spec.type%3DClusterIP`,
    request: {},
    status: 400,
    reason: 'BadRequest',
    says: /metadata.name=NAME/,
  },
  {
    name: 'a limit that is no number',
    method: 'GET',
    path: `${SERVICES}?limit=many`,
    request: {},
    status: 400,
    reason: 'BadRequest',
    says: /limit: must be a whole number/,
  },
  {
    name: 'a continue token that is none',
    method: 'GET',
    path: `${SERVICES}?continue=x`,
    request: {},
    status: 410,
    reason: 'Expired',
    says: /list again/,
  },
  {
    name: 'a watch from the future',
    method: 'GET',
    path: `${SERVICES}?watch=1&resourceVersion=999999`,
    request: {},
    status: 410,
    reason: 'Expired',
    says: /history/,
  },
  {
    name: 'a dry run of something else',
    path: `${SERVICES}?dryRun=Some`,
    request: service({ ports: PORTS }),
    status: 400,
    reason: 'BadRequest',
    says: /dryRun: must be All/,
  },
  {
    name: 'a field validation that is not known',
    path: `${SERVICES}?fieldValidation=Maybe`,
    request: service({ ports: PORTS }),
    status: 400,
    reason: 'BadRequest',
    says: /Strict, Warn, Ignore/,
  },
  {
    name: 'a token of a service account that is not there',
    path: '/api/v1/namespaces/default/serviceaccounts/none/token',
    request: { body: {} },
    status: 404,
    reason: 'NotFound',
    says: /none/,
  },
  {
    name: 'a token for a second',
    path: '/api/v1/namespaces/default/serviceaccounts/none/token',
    request: { body: { spec: { expirationSeconds: 1 } } },
    status: 422,
    reason: 'Invalid',
    field: 'spec.expirationSeconds',
    says: /from 600/,
  },
  {
    name: 'no token',
    method: 'GET',
    path: SERVICES,
    request: { token: '' },
    status: 401,
    reason: 'Unauthorized',
    says: /bearer token is needed/,
  },
  {
    name: 'a wrong token',
    method: 'GET',
    path: SERVICES,
    request: { token: 'wrong' },
    status: 401,
    reason: 'Unauthorized',
    says: /not the admin token/,
  },
  {
    name: 'no token, and a large body',
    request: { token: '', body: Buffer.alloc(20_000_000, ' ') },
    status: 401,
    reason: 'Unauthorized',
    says: /bearer token is needed/,
  },
];

t.test('bad input is refused with a sentence that names the field, and changes nothing', async t => {
  const dataDir = t.testdir();
  await using plane = await startControlPlane(dataDir);
  await using client = new RestClient(plane.restUrl, dataDir);
  const web = await client.call('POST', SERVICES, service({ ports: PORTS }, { name: 'web' }));
  t.equal(web.status, 201);
  const everything = async () => {
    const lists = await Promise.all([SERVICES, ROUTES, POLICIES].map(path => client.call('GET', path)));
    return JSON.stringify(lists.map(list => list.body));
  };
  const before = await everything();
  for (const { name, method = 'POST', path = SERVICES, request, status, reason, says, field } of CASES) {
    const answer = await client.call(method, path, request).catch((error: Error) => error);
    if (answer instanceof Error) {
      t.fail(`${name}: ${answer.message}`);
      continue;
    }
    t.equal(answer.status, status, name);
    t.match(
      answer.body,
      { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message: says },
      `${name}: ${answer.body.message}`,
    );
    if (field !== undefined)
      t.ok(
        answer.body.details?.causes?.some(cause => cause.field === field),
        `${name}: ${field} is a cause`,
      );
    t.equal(await everything(), before, `${name}: nothing changed`);
  }
});
