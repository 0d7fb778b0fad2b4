import t from 'tap';
import type { MeshConfigSpec } from '../../../../api/mesh-config.ts';
import { validateSnapshot } from '../../../../api/validate-snapshot.ts';
import { computeTarget } from '../../../../control-plane/push/target.ts';
import { backend, httpRoute, meta, policy, prefix, service, translatorOf, workload } from '../../../support/objects.ts';

t.test('a Service has the workloads that its selector selects, without one those that name it', t => {
  const translator = translatorOf(
    service('chosen', { selector: { app: 'web', version: 'v2' } }),
    service('named'),
    workload('a', { service: 'named' }, { labels: { app: 'web', version: 'v2' } }),
    workload('b', { service: 'named' }, { labels: { app: 'web', version: 'v1' } }),
    workload('elsewhere', { service: 'named' }, { labels: { app: 'web', version: 'v2' }, namespace: 'other' }),
  );
  const members = (key: string) => translator.view(key, 'shop')?.endpoints.map(each => each.workload);
  t.same(members('chosen.shop'), ['a']);
  t.same(members('named.shop'), ['a', 'b']);
  t.end();
});

t.test('an endpoint says where its sidecar is, who it must be, and which app port each service port means', t => {
  const translator = translatorOf(
    service('web', {
      ports: [
        { name: 'http', port: 80, targetPort: 'main', protocol: 'TCP' },
        { name: 'grpc', port: 90, targetPort: 9_090, protocol: 'TCP' },
        { name: 'none', port: 91, targetPort: 'missing', protocol: 'TCP' },
      ],
    }),
    workload('a', { service: 'web', address: 'fd00::1', ports: [{ name: 'main', port: 8_080 }, { port: 9_090 }] }),
    workload('plain', {
      service: 'web',
      ports: [{ name: 'main', port: 8_080 }, { port: 9_090 }],
      sidecarPort: undefined as never,
    }),
  );
  t.match(translator.view('web.shop', 'shop')?.endpoints, [
    { address: '[fd00::1]:15006', identity: 'spiffe://mesh.local/ns/shop/sa/web', ports: { '80': 8_080, '90': 9_090 } },
    { address: '10.0.0.1:8080', identity: null, ports: { '80': 8_080 } },
    { address: '10.0.0.1:9090', identity: null, ports: { '90': 9_090 } },
  ]);
  t.end();
});

t.test('unhealthy and draining instances get nothing', t => {
  const translator = translatorOf(
    service('web'),
    workload('a', { service: 'web' }, { status: { health: 'Unhealthy' } }),
    workload('b', { service: 'web' }, { status: { health: 'Draining' } }),
    workload('c', { service: 'web' }, { status: { health: 'Healthy' } }),
  );
  t.same(
    translator.view('web.shop', 'shop')?.endpoints.map(each => each.workload),
    ['c'],
  );
  t.end();
});

t.test('a port speaks what the Service says, else what the workload says, else HTTP', t => {
  const translator = translatorOf(
    service('web', {
      ports: [
        { name: 'a', port: 1, appProtocol: 'grpc', protocol: 'TCP' },
        { name: 'thrift-b', port: 2, protocol: 'TCP' },
        { name: 'c', port: 3, appProtocol: 'mongo', protocol: 'TCP' },
        { name: 'd', port: 4, protocol: 'TCP' },
        { name: 'e', port: 5, protocol: 'TCP' },
      ],
    }),
    workload('w', { service: 'web', ports: [{ port: 4, protocol: 'hessian' }] }),
  );
  t.same(
    translator.view('web.shop', 'shop')?.config.ports.map(({ protocol }) => protocol),
    ['grpc', 'thrift', 'tcp', 'hessian', 'http'],
  );
  t.same(
    translator.view('web.shop', 'shop')?.config.ports.map(({ assumed }) => assumed === true),
    [false, false, false, false, true],
    'what nobody says is assumed',
  );
  t.end();
});

t.test('a service that nobody declared has the ports of its workloads, and goes with the last of them', t => {
  const a = workload('a', { service: 'web', ports: [{ name: 'http', port: 8_080, protocol: 'http' }] });
  const b = workload('b', { service: 'web', ports: [{ port: 9_090, protocol: 'grpc' }] });
  const translator = translatorOf(a, b);
  t.equal(translator.resolve('web.shop'), 'web.shop');
  t.match(translator.view('web.shop', 'shop')?.config.ports, [
    { port: 8_080, protocol: 'http' },
    { port: 9_090, protocol: 'grpc' },
  ]);
  translator.apply({ type: 'DELETED', object: a });
  t.same(
    translator.view('web.shop', 'shop')?.endpoints.map(each => each.workload),
    ['b'],
  );
  t.same(translator.apply({ type: 'DELETED', object: b }).services, new Set(['web.shop', 'b.workload.shop']));
  t.equal(translator.resolve('web.shop'), null);
  t.equal(translator.view('web.shop', 'shop'), undefined);
  t.end();
});

t.test('an address leads to the Service that has it, else to the workload that is there', t => {
  const translator = translatorOf(
    service('web', { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::96'] }),
    service('headless', { clusterIP: 'None' }),
    workload('a', { service: 'web', address: '10.0.0.7' }),
  );
  t.equal(translator.resolve('10.96.0.1:80'), 'web.shop');
  t.equal(translator.resolve('[fd00::96]:80'), 'web.shop');
  t.equal(translator.resolve('10.96.0.1:81'), null);
  t.equal(translator.resolve('10.0.0.7:8080'), 'a.workload.shop');
  t.equal(translator.resolve('10.0.0.7:15006'), null, 'the sidecar itself is no destination');
  t.match(translator.view('a.workload.shop', 'shop')?.config, {
    name: 'a.workload',
    addresses: ['10.0.0.7'],
    ports: [{ routes: [] }],
  });
  t.end();
});

t.test(
  'ExternalName is dialled in plain text at the ports that it declares; without ports it is not in the mesh',
  t => {
    const translator = translatorOf(
      service('out', { type: 'ExternalName', externalName: 'api.example.com', ports: [{ port: 80, protocol: 'TCP' }] }),
      service('alias', { type: 'ExternalName', externalName: 'api.example.com', ports: [] }),
    );
    t.match(translator.view('out.shop', 'shop')?.endpoints, [{ address: 'api.example.com:80', identity: null }]);
    t.equal(translator.resolve('alias.shop'), null);
    t.end();
  },
);

t.test('requests to an ExternalName are addressed to its name, with the port unless it is the usual one', t => {
  const ports = [
    { name: 'plain', port: 80, protocol: 'TCP' },
    { name: 'other', port: 81, targetPort: 443, protocol: 'TCP' },
    { name: 'secure', port: 443, protocol: 'TCP' },
  ] as const;
  const secure = { targetRefs: [{ group: '', kind: 'Service', name: 'out', sectionName: 'secure' }], tls: {} };
  const translator = translatorOf(
    service('out', { type: 'ExternalName', externalName: 'api.example.com', ports }),
    policy('secure', secure),
  );
  const view = translator.view('out.shop', 'shop');
  t.same(
    view?.config.ports.map(port => [port.authority, port.policy.tls !== undefined]),
    [
      ['api.example.com', false],
      ['api.example.com:443', false],
      ['api.example.com', true],
    ],
  );
  t.same(
    view?.endpoints.map(({ address, ports: served }) => [address, served]),
    [
      ['api.example.com:80', { 80: 80 }],
      ['api.example.com:443', { 81: 443, 443: 443 }],
    ],
    'one instance for each port that is dialled',
  );
  t.end();
});

t.test('a TLS client finds an ExternalName by its host and the port of the server', t => {
  const ports = [{ name: 'secure', port: 80, targetPort: 443, protocol: 'TCP' }] as const;
  const translator = translatorOf(service('out', { type: 'ExternalName', externalName: 'api.example.com', ports }));
  t.equal(translator.resolve('sni=api.example.com:443'), 'out.shop');
  t.equal(translator.resolve('sni=api.example.com:80'), null);
  t.equal(translator.resolve('sni=example.com:443'), null);
  const { interests, answers } = computeTarget(translator, ['sni=api.example.com:443'], 'shop');
  t.ok(interests.has('@api.example.com'), 'and hears of a change');
  t.same([...answers], [['sni=api.example.com:443', 'out.shop']]);
  const { hosts } = translator.apply({ type: 'DELETED', object: translator.world.service('out.shop')! });
  t.same([...hosts], ['api.example.com']);
  t.equal(translator.resolve('sni=api.example.com:443'), null);
  t.end();
});

t.test('a snapshot holds what is subscribed to and all that its routes send to, and validates', t => {
  const translator = translatorOf(
    service('web'),
    service('v1'),
    service('v2'),
    service('unused'),
    workload('a', { service: 'v2' }),
    httpRoute('split', { name: 'web' }, [{ matches: [prefix('/')], backendRefs: [backend('v1'), backend('gone')] }]),
    httpRoute('further', { name: 'v1' }, [{ matches: [prefix('/')], backendRefs: [backend('v2'), backend('web')] }]),
  );
  const target = computeTarget(translator, ['web.shop', 'nobody.shop'], 'shop');
  t.same([...target.services.keys()].sort(), ['v1.shop', 'v2.shop', 'web.shop']);
  t.same(Object.fromEntries(target.answers), { 'web.shop': 'web.shop', 'nobody.shop': null });
  t.ok(target.interests.has('nobody.shop'));
  const snapshot = {
    format: 1,
    configVersion: target.configVersion,
    endpointVersion: target.endpointVersion,
    trustDomain: target.trustDomain,
    outboundPolicy: target.outboundPolicy,
    services: [...target.services.values()].map(({ config, endpoints }) => ({ ...config, endpoints })),
  };
  t.equal(validateSnapshot(JSON.parse(JSON.stringify(snapshot))), undefined);
  t.end();
});

t.test('versions change with what they are of, and with nothing else', t => {
  const translator = translatorOf(service('web'), service('other'), workload('a', { service: 'web' }));
  const versions = () => {
    const { configVersion, endpointVersion } = computeTarget(translator, ['web.shop'], 'shop');
    return [configVersion, endpointVersion];
  };
  const [config, endpoints] = versions();
  translator.apply({ type: 'MODIFIED', object: service('other', { ports: [{ port: 99, protocol: 'TCP' }] }) });
  t.same(versions(), [config, endpoints], 'another service');
  translator.apply({ type: 'ADDED', object: workload('b', { service: 'web', address: '10.0.0.2' }) });
  const [sameConfig, otherEndpoints] = versions();
  t.equal(sameConfig, config);
  t.not(otherEndpoints, endpoints);
  translator.apply({ type: 'ADDED', object: httpRoute('r', { name: 'web' }, [{ matches: [prefix('/')] }]) });
  t.not(versions()[0], config);
  t.equal(versions()[1], otherEndpoints);
  t.end();
});

t.test('the normal form of paths is the one of the MeshConfig, BASE without one, and a part of the version', t => {
  const translator = translatorOf(service('web'));
  const set = (spec: Partial<MeshConfigSpec>) => {
    const object = {
      apiVersion: 'outrider.mesh/v1',
      kind: 'MeshConfig',
      metadata: meta('default'),
      spec: { outboundTrafficPolicy: { mode: 'ALLOW_ANY' }, ...spec },
    } as const;
    translator.apply({ type: 'MODIFIED', object });
    return computeTarget(translator, ['web.shop'], 'shop');
  };
  const without = computeTarget(translator, ['web.shop'], 'shop');
  t.equal(without.pathNormalization, 'BASE');
  t.equal(set({}).pathNormalization, 'BASE', 'of an object that an earlier release has stored');
  t.equal(set({ pathNormalization: { normalization: 'DEFAULT' } }).configVersion, without.configVersion);
  const merged = set({ pathNormalization: { normalization: 'MERGE_SLASHES' } });
  t.equal(merged.pathNormalization, 'MERGE_SLASHES');
  t.not(merged.configVersion, without.configVersion);
  t.end();
});
