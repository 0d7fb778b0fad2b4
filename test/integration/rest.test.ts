import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { KINDS } from '../../api/kinds.ts';
import { type Json, RestClient, startControlPlane } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const ROUTES = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes';
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

const service = (name: string, port = 80, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, ...more },
  spec: { ports: [{ name: 'http', port }] },
});

const withPlane = (name: string, run: (t: Test, client: RestClient, dataDir: string) => Promise<void>) =>
  t.test(name, async t => {
    const dataDir = t.testdir();
    await using plane = await startControlPlane(dataDir);
    await using client = new RestClient(plane.restUrl, dataDir);
    await run(t, client, dataDir);
  });

/** The first events of a watch. */
const take = async (events: AsyncGenerator<Json>, count: number): Promise<Json[]> => {
  const taken: Json[] = [];
  if (count > 0) for await (const event of events) if (taken.push(event) === count) break;
  return taken;
};

const brief = (event: Json) => `${event.type} ${event.object?.metadata?.name}`;

withPlane('an object is created, read, replaced, patched and deleted', async (t, client) => {
  const created = await client.call('POST', SERVICES, { body: service('web') });
  t.equal(created.status, 201);
  t.match(
    created.body,
    {
      metadata: { name: 'web', namespace: 'default', generation: 1 },
      spec: { type: 'ClusterIP', ports: [{ protocol: 'TCP' }] },
    },
    'defaults are filled in',
  );
  t.same((await client.call('GET', `${SERVICES}/web`)).body, created.body);
  const body = { ...(created.body as object), spec: { ports: [{ port: 81 }] } };
  const replaced = await client.call('PUT', `${SERVICES}/web`, { body });
  t.match(replaced, { status: 200, body: { metadata: { generation: 2 }, spec: { ports: [{ port: 81 }] } } });
  t.equal((await client.call('PUT', `${SERVICES}/web`, { body })).status, 409, 'what was read before is stale');
  const patch = (type: string, value: object) =>
    client.call('PATCH', `${SERVICES}/web`, {
      body: value,
      headers: { 'content-type': `application/${type}-patch+json` },
    });
  t.match(await patch('merge', { metadata: { labels: { a: 'b' } } }), {
    status: 200,
    body: { metadata: { labels: { a: 'b' }, generation: 2 } },
  });
  t.match(
    await patch('strategic-merge', {
      spec: {
        ports: [
          { port: 81, name: 'http' },
          { port: 82, name: 'more' },
        ],
      },
    }),
    { status: 200, body: { spec: { ports: [{ port: 81, name: 'http' }, { port: 82 }] } } },
  );
  t.match(await patch('json', [{ op: 'remove', path: '/spec/ports/1' }]), {
    status: 200,
    body: { spec: { ports: [{ port: 81 }] } },
  });
  const deleted = await client.call('DELETE', `${SERVICES}/web`);
  t.match(deleted, {
    status: 200,
    body: { kind: 'Status', status: 'Success', details: { name: 'web', kind: 'services' } },
  });
  t.match(await client.call('GET', `${SERVICES}/web`), { status: 404, body: { reason: 'NotFound' } });
});

withPlane('YAML is as good as JSON, and a name may be generated', async (t, client) => {
  const yaml =
    'apiVersion: v1\nkind: Service\nmetadata: {generateName: web-, creationTimestamp: null}\nspec: {ports: [{port: 80}]}\n';
  const created = await client.call('POST', SERVICES, { body: yaml, headers: { 'content-type': 'application/yaml' } });
  t.equal(created.status, 201);
  t.match(created.body.metadata?.name, /^web-[a-z0-9]{5}$/);
});

withPlane('a dry run answers as the write would, and stores nothing', async (t, client) => {
  t.match(await client.call('POST', `${SERVICES}?dryRun=All`, { body: service('web') }), {
    status: 201,
    body: { spec: { type: 'ClusterIP' } },
  });
  t.equal((await client.call('GET', `${SERVICES}/web`)).status, 404);
  const missing = '/api/v1/namespaces/nowhere/services?dryRun=All';
  t.equal((await client.call('POST', missing, { body: service('web') })).status, 404);
  await client.call('POST', SERVICES, { body: service('web') });
  t.equal((await client.call('POST', `${SERVICES}?dryRun=All`, { body: service('web') })).status, 409);
  t.match(await client.call('PUT', `${SERVICES}/web?dryRun=All`, { body: service('web', 99) }), {
    status: 200,
    body: { metadata: { generation: 2 } },
  });
  t.equal((await client.call('DELETE', `${SERVICES}/web?dryRun=All`)).status, 200);
  t.equal((await client.call('DELETE', `${SERVICES}/web`, { body: { dryRun: ['All'] } })).status, 200);
  t.match((await client.call('GET', `${SERVICES}/web`)).body, { spec: { ports: [{ port: 80 }] } });
});

withPlane('fields without effect are warned about; unknown ones may be let through', async (t, client) => {
  const spec = { ports: [{ port: 80, appProtocol: 'mqtt' }], sessionAffinity: 'None' };
  const answer = await client.call('POST', SERVICES, { body: { metadata: { name: 'web', finalizers: null }, spec } });
  t.equal(answer.status, 201);
  t.match([answer.headers.warning].flat(), [
    /^299 - "spec.sessionAffinity is accepted and ignored: /,
    /appProtocol: \\"mqtt\\" is not known here/,
  ]);
  const odd = { metadata: { name: 'odd' }, spec: { ports: [{ port: 80 }], colour: 'red' } };
  const warned = await client.call('POST', `${SERVICES}?fieldValidation=Warn`, { body: odd });
  t.match(warned, { status: 201, headers: { warning: /unknown field \\"spec.colour\\"/ } });
  t.notMatch(warned.body, { spec: { colour: 'red' } });
  const ignored = await client.call('PUT', `${SERVICES}/odd?fieldValidation=Ignore`, { body: odd });
  t.equal(ignored.headers.warning, undefined);
});

withPlane('a status is written apart from the rest', async (t, client) => {
  await client.call('POST', SERVICES, { body: { ...service('web'), status: { conditions: [] } } });
  t.equal((await client.call('GET', `${SERVICES}/web`)).body.status, undefined, 'a new object has none');
  const status = {
    conditions: [
      { type: 'Odd', status: 'True', reason: 'Test', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
  };
  const put = await client.call('PUT', `${SERVICES}/web/status`, { body: { ...service('web', 99), status } });
  t.match(put, { status: 200, body: { status, spec: { ports: [{ port: 80 }] } } });
  t.match((await client.call('PUT', `${SERVICES}/web`, { body: service('web', 81) })).body, {
    status,
    spec: { ports: [{ port: 81 }] },
  });
  t.match((await client.call('GET', `${SERVICES}/web/status`)).body, { status });
});

withPlane('a watch gives what there is, then what changes; and goes on from a version', async (t, client) => {
  await client.call('POST', SERVICES, { body: service('a') });
  const events = client.watch(`${SERVICES}?watch=1`);
  t.same((await take2(events, 1)).map(brief), ['ADDED a']);
  const { body } = await client.call('POST', SERVICES, { body: service('b') });
  await client.call('PUT', `${SERVICES}/a`, { body: service('a', 81) });
  await client.call('DELETE', `${SERVICES}/b`);
  t.same((await take2(events, 3)).map(brief), ['ADDED b', 'MODIFIED a', 'DELETED b']);
  await events.return(undefined);
  const from = body.metadata?.resourceVersion;
  t.same((await take(client.watch(`${SERVICES}?watch=true&resourceVersion=${from}`), 2)).map(brief), [
    'MODIFIED a',
    'DELETED b',
  ]);
  const named = client.watch(`/api/v1/services?watch=1&resourceVersion=${from}&fieldSelector=metadata.name%3Db`);
  t.same((await take(named, 1)).map(brief), ['DELETED b']);
});

/** As `take`, but the generator can go on afterwards. */
const take2 = async (events: AsyncGenerator<Json>, count: number): Promise<Json[]> => {
  const taken: Json[] = [];
  while (taken.length < count) taken.push((await events.next()).value as Json);
  return taken;
};

withPlane('a watch ends when it was told to, and marks the end of what there is', async (t, client) => {
  await client.call('POST', SERVICES, { body: service('a') });
  const path = `${SERVICES}?watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=1&resourceVersionMatch=NotOlderThan`;
  const events: Json[] = [];
  for await (const event of client.watch(path)) events.push(event);
  t.match(events, [
    { type: 'ADDED' },
    { type: 'BOOKMARK', object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } },
  ]);
});

withPlane('lists are filtered, cut in pages, and tables', async (t, client) => {
  for (const name of ['a', 'b', 'c'])
    await client.call('POST', SERVICES, { body: service(name, 80, { labels: { name } }) });
  const names = async (query: string) => {
    const { body } = await client.call('GET', `${SERVICES}?${query}`);
    return (body.items as unknown as Json[]).map(item => item.metadata?.name).join();
  };
  t.equal(await names(`labelSelector=${encodeURIComponent('name in (a,c),name!=c')}`), 'a');
  t.equal(await names(`labelSelector=${encodeURIComponent('!name')}`), '');
  t.equal(await names(`labelSelector=${encodeURIComponent('name notin (a),name')}`), 'b,c');
  t.equal(await names('fieldSelector=metadata.name=b,metadata.namespace=default'), 'b');
  const page = (await client.call('GET', `${SERVICES}?limit=2`)).body;
  t.equal(await names(`limit=2&continue=${page.metadata?.continue}`), 'c');
  const table = (await client.call('GET', SERVICES, { headers: TABLE })).body as unknown as {
    rows: { cells: unknown[] }[];
    columnDefinitions: { name: string }[];
  };
  t.same(
    table.columnDefinitions.map(column => column.name),
    ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Selector', 'Age'],
  );
  t.same(table.rows[0]?.cells.slice(0, 5), ['a', 'ClusterIP', '<none>', '<none>', '80/TCP']);
  t.match((await client.call('GET', `${SERVICES}/a?includeObject=Object`, { headers: TABLE })).body, {
    kind: 'Table',
    rows: [{ object: { spec: {} } }],
  });
});

withPlane('discovery, OpenAPI and the pages know every kind', async (t, client) => {
  const groups = (await client.call('GET', '/apis')).body.groups as unknown as { name: string }[];
  t.same(groups.map(group => group.name).toSorted(), ['gateway.networking.k8s.io', 'outrider.mesh']);
  t.match((await client.call('GET', '/api')).body, { versions: ['v1'] });
  t.match((await client.call('GET', '/apis/outrider.mesh')).body, { preferredVersion: { version: 'v1' } });
  t.match((await client.call('GET', '/version')).body, { gitVersion: /outrider/ });
  const { paths } = (await client.call('GET', '/openapi/v3')).body as unknown as {
    paths: Record<string, { serverRelativeURL: string }>;
  };
  const { definitions } = (await client.call('GET', '/openapi/v2')).body as unknown as {
    definitions: Record<string, object>;
  };
  for (const kind of KINDS) {
    const path = kind.group === '' ? 'api/v1' : `apis/${kind.group}/v1`;
    const { resources } = (await client.call('GET', `/${path}`)).body as unknown as { resources: { kind: string }[] };
    t.ok(
      resources.some(resource => resource.kind === kind.kind),
      `${kind.kind} is in /${path}`,
    );
    const document = await client.call('GET', paths[path]?.serverRelativeURL ?? '');
    t.ok(
      JSON.stringify(document.body.components?.schemas).includes(`"kind":"${kind.kind}"`),
      `${kind.kind} is in /openapi/v3`,
    );
    t.ok(
      Object.keys(definitions).some(name => name.endsWith(`.${kind.kind}`)),
      `${kind.kind} is in /openapi/v2`,
    );
    const page = await client.call('GET', `/docs/${kind.plural}${kind.group === '' ? '' : `.${kind.group}`}`, {
      token: '',
    });
    t.match(page, { status: 200, body: /<table>/ }, `${kind.kind} has a page, without a token`);
  }
  t.match(await client.call('GET', '/docs', { token: '' }), { status: 200, body: /HTTPRoute/ });
  const protobuf = { headers: { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' } };
  t.equal((await client.call('GET', '/openapi/v2', protobuf)).status, 406);
  t.match(await client.call('GET', '/readyz', { token: '' }), { status: 200, body: 'ok' });
});

withPlane('a token is given for a service account that is there', async (t, client) => {
  await client.call('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'web' } } });
  const answer = await client.call('POST', '/api/v1/namespaces/default/serviceaccounts/web/token', {
    body: { spec: { expirationSeconds: 600 } },
  });
  t.match(answer, { status: 201, body: { kind: 'TokenRequest', status: { token: /^ey/, expirationTimestamp: /Z$/ } } });
});

withPlane('a route to nothing is accepted, and says so', async (t, client) => {
  await client.call('POST', SERVICES, { body: service('web') });
  const spec = {
    parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
    rules: [{ backendRefs: [{ name: 'gone', port: 80 }] }],
  };
  t.equal((await client.call('POST', ROUTES, { body: { metadata: { name: 'web' }, spec } })).status, 201);
  const condition = await waitFor('the condition', async () => {
    const parents = (await client.call('GET', `${ROUTES}/web`)).body.status?.parents as unknown as {
      conditions: { type: string; status: string }[];
    }[];
    return parents[0]?.conditions.find(each => each.type === 'ResolvedRefs');
  });
  t.match(condition, { status: 'False', reason: 'BackendNotFound' });
});

withPlane(
  'the first start leaves a token, a bundle and a kubeconfig, and the next start keeps them',
  async (t, client, dataDir) => {
    t.equal((await client.call('GET', '/api/v1/namespaces')).status, 200);
    for (const name of ['admin-token', 'kubeconfig', 'trust-bundle.pem', 'store.db'])
      t.equal(statSync(join(dataDir, name)).mode & 0o777, 0o600, `${name} is for its owner only`);
    t.match(readFileSync(join(dataDir, 'kubeconfig'), 'utf8'), client.url);
  },
);

t.test('a second start on the same data keeps token and objects', async t => {
  const dataDir = t.testdir();
  const start = async () => {
    const plane = await startControlPlane(dataDir);
    return { plane, client: new RestClient(plane.restUrl, dataDir) };
  };
  const first = await start();
  await first.client.call('POST', SERVICES, { body: service('web') });
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8');
  await t.rejects(startControlPlane(dataDir), /another control plane uses it/);
  await first.client[Symbol.asyncDispose]();
  await first.plane[Symbol.asyncDispose]();
  const second = await start();
  t.equal(readFileSync(join(dataDir, 'admin-token'), 'utf8'), token);
  t.equal((await second.client.call('GET', `${SERVICES}/web`)).status, 200);
  await second.client[Symbol.asyncDispose]();
  await second.plane[Symbol.asyncDispose]();
});

t.test('metrics and health are plain HTTP', async t => {
  await using plane = await startControlPlane(t.testdir());
  const get = async (path: string, method: 'GET' | 'POST' = 'GET') => {
    const { statusCode, body } = await request(`http://127.0.0.1:${plane.metrics.port}${path}`, { method });
    return `${statusCode} ${await body.text()}`;
  };
  const metrics = await get('/metrics');
  t.match(metrics, /^200 .*outrider_build_info\{version="0.0.0-test"/s);
  t.match(metrics, /^outrider_control_plane_sidecars 0$/m);
  t.equal(await get('/healthz/ready'), '200 ok\n');
  t.equal(await get('/healthz/live'), '200 ok\n');
  t.match(await get('/'), /^404/);
  t.match(await get('/metrics', 'POST'), /^405/);
});
