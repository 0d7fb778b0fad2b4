import t from 'tap';
import type { HealthCheckSpec } from '../../../../api/health-check.ts';
import type { Stored } from '../../../../api/object.ts';
import { DEFAULT_HEALTH_CHECK } from '../../../../api/snapshot.ts';
import { computeTarget } from '../../../../control-plane/push/target.ts';
import { compileHealthChecks, type OwnWorkload } from '../../../../control-plane/translate/health-checks.ts';
import { healthChecksKey } from '../../../../control-plane/translate/world.ts';
import { policy, service, translatorOf } from '../../../support/objects.ts';

const target = (name: string, sectionName?: string) =>
  [{ group: '', kind: 'Service', name, ...(sectionName === undefined ? {} : { sectionName }) }] as const;

const own: OwnWorkload = {
  namespace: 'shop',
  service: 'web',
  labels: { app: 'web' },
  ports: [
    { port: 8080, protocol: 'http' },
    { name: 'rpc', port: 9090, protocol: 'grpc' },
  ],
};
const HTTP: HealthCheckSpec = { http: { path: '/healthz' } };
const http = { kind: 'http', path: '/healthz', authority: '', headers: [], statuses: [[200, 299]], http2: false };
const checks = (...objects: readonly Stored[]) => compileHealthChecks(translatorOf(...objects).world, own);

t.test('without a policy nothing is checked', t => {
  t.same(checks(), []);
  t.same(
    checks(policy('limits', { targetRefs: target('web'), healthCheck: { interval: '5s' } })),
    [],
    'nor without a kind',
  );
  t.end();
});

t.test('every port of a service that nobody declared is checked, as the policy and the defaults say', t => {
  t.same(checks(policy('web', { targetRefs: target('web'), healthCheck: HTTP })), [
    { port: 8080, probe: http, ...DEFAULT_HEALTH_CHECK },
    { port: 9090, probe: { ...http, http2: true }, ...DEFAULT_HEALTH_CHECK },
  ]);
  t.same(
    checks(policy('other', { targetRefs: target('other'), healthCheck: HTTP })),
    [],
    'those of others do not count',
  );
  t.same(checks(policy('web', { targetRefs: target('web'), healthCheck: HTTP }, 'books')), [], 'nor other namespaces');
  t.end();
});

t.test('a Service leads to the ports that are checked, by number or name, and a policy may mean one of them', t => {
  const web = service('web', {
    ports: [
      { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' },
      { name: 'grpc', port: 81, targetPort: 'rpc', protocol: 'TCP' },
    ],
  });
  t.match(
    checks(web, policy('rpc', { targetRefs: target('web', 'grpc'), healthCheck: { grpc: { service: 'a.B' } } })),
    [{ port: 9090, probe: { kind: 'grpc', service: 'a.B' } }],
  );
  const all = policy('web', { targetRefs: target('web'), healthCheck: { tcp: {} } });
  t.match(checks(web, all), [{ port: 8080 }, { port: 9090 }]);
  t.same(checks(service('web', { selector: { app: 'else' } }), all), [], 'a Service that selects others is not ours');
  t.end();
});

t.test('a Service that selects the workload has a say; the one of its own name has the last word', t => {
  const [edge, web] = [
    service('edge', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] }),
    service('web', { ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] }),
  ];
  const forEdge = policy('edge', { targetRefs: target('edge'), healthCheck: { tcp: {} } });
  t.match(checks(edge, web, forEdge), [{ port: 8080, probe: { kind: 'tcp' } }]);
  const both = checks(edge, web, forEdge, policy('web', { targetRefs: target('web'), healthCheck: HTTP }));
  t.match(both, [{ probe: { kind: 'http' } }]);
  t.equal(both.length, 1, 'one check a port');
  t.end();
});

t.test('field by field the narrower policy wins; another kind of check takes the place of the whole kind', t => {
  const mesh = policy(
    'mesh',
    { healthCheck: { http: { path: '/up' }, interval: '10s', unhealthyThreshold: 5 } },
    'outrider-system',
  );
  const namespace = policy('namespace', { healthCheck: { timeout: '300ms', unhealthyThreshold: 2 } });
  t.match(checks(mesh, namespace)[0], {
    probe: { kind: 'http', path: '/up' },
    intervalMs: 10_000,
    timeoutMs: 300,
    unhealthyThreshold: 2,
    healthyThreshold: 1,
  });
  t.match(checks(mesh, policy('web', { targetRefs: target('web'), healthCheck: { tcp: {} } }))[0], {
    probe: { kind: 'tcp' },
    intervalMs: 10_000,
  });
  const off = policy('off', { healthCheck: { enabled: false } });
  t.same(checks(mesh, off), []);
  t.equal(
    checks(mesh, off, policy('web', { targetRefs: target('web'), healthCheck: { timeout: '1s' } })).length,
    2,
    'and on again',
  );
  t.end();
});

t.test('a port for checks alone is asked once', t => {
  const healthCheck = {
    ...HTTP,
    port: 8081,
    http: { path: '/up', host: 'h', headers: [{ name: 'a', value: 'b' }], expectedStatuses: [204, '300-399'] },
  };
  t.match(checks(policy('web', { targetRefs: target('web'), healthCheck })), [
    {
      port: 8081,
      probe: {
        authority: 'h',
        headers: [{ name: 'a', value: 'b' }],
        statuses: [
          [204, 204],
          [300, 399],
        ],
      },
    },
  ]);
  t.equal(checks(policy('web', { targetRefs: target('web'), healthCheck: { tcp: {}, port: 8081 } })).length, 1);
  t.end();
});

t.test('a check is part of the configuration of its own sidecar, which is woken when it may change', t => {
  const translator = translatorOf();
  const before = computeTarget(translator, [], 'shop', own);
  t.ok(before.interests.has(healthChecksKey('shop')));
  const object = policy('web', { targetRefs: target('web'), healthCheck: HTTP });
  t.same(translator.apply({ type: 'ADDED', object }).keys, [healthChecksKey('shop')]);
  const after = computeTarget(translator, [], 'shop', own);
  t.equal(after.healthChecks.length, 2);
  t.not(after.configVersion, before.configVersion);
  t.same(computeTarget(translator, [], 'shop').healthChecks, [], 'nobody else’s');
  const moved = service('web', { ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] });
  t.same(translator.apply({ type: 'ADDED', object: moved }).keys, [healthChecksKey('shop')]);
  t.equal(computeTarget(translator, [], 'shop', own).healthChecks.length, 1);
  t.same(translator.apply({ type: 'DELETED', object }).keys, [healthChecksKey('shop')]);
  t.equal(
    translator.apply({ type: 'MODIFIED', object: moved }).keys,
    undefined,
    'where nothing is checked nobody is woken',
  );
  t.end();
});
