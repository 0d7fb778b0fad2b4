import t from 'tap';
import { DEFAULT_HEALTH_CHECK } from '../../../api/snapshot.ts';
import { validateSnapshot } from '../../../api/validate-snapshot.ts';
import { endpointView, portView, routeView, serviceView, snapshotOf } from '../sidecar/route/snapshot.fixture.ts';

/** One of everything. */
const good = () =>
  snapshotOf(
    serviceView('app', {
      addresses: ['10.96.0.7', 'fd00::7'],
      ports: [
        portView(80, {
          routes: [
            routeView({
              matches: [
                {
                  path: { type: 'PathPrefix', value: '/v2' },
                  method: 'GET',
                  rpcMethod: { type: 'RegularExpression', value: 'get.*' },
                  headers: [{ name: 'x-version', type: 'RegularExpression', value: 'v[0-9]+' }],
                  query: [{ name: 'page', type: 'Exact', value: '1' }],
                },
              ],
              filters: [
                { type: 'RequestHeaderModifier', set: [{ name: 'a', value: 'é\t1' }], add: [], remove: ['b'] },
                { type: 'URLRewrite', hostname: 'other', path: { type: 'ReplacePrefixMatch', value: '' } },
              ],
              backends: [
                { service: 'ledger.books', port: 81, weight: 9, filters: [] },
                { service: null, port: 0, weight: 1, filters: [] },
              ],
              requestTimeoutMs: 5_000,
              retry: { attempts: 2, codes: [503], backoffMs: 25, on: ['connect-failure'] },
            }),
            routeView({
              filters: [{ type: 'RequestRedirect', statusCode: 302, scheme: 'https', port: 443 }],
              backends: [],
            }),
          ],
        }),
      ],
      endpoints: [endpointView('10.0.0.1:15006'), endpointView('[fd00::1]:8080', { identity: null, weight: 0 })],
    }),
    serviceView('ledger', { namespace: 'books', ports: [portView(81, { protocol: 'thrift' })] }),
  );

/** The snapshot as JSON, with one value replaced (undefined: removed). */
const broken = (path: string, value: unknown): unknown => {
  const snapshot: unknown = JSON.parse(JSON.stringify(good()));
  const steps = path.split(/[.[\]]+/).filter(step => step !== '');
  const last = steps.pop() as string;
  const parent = steps.reduce<unknown>((part, step) => Reflect.get(part as object, step), snapshot) as object;
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, value);
  return snapshot;
};

const checked = (healthCheck: object): unknown => ({
  ...snapshotOf(),
  healthChecks: [{ port: 80, probe: { kind: 'tcp' }, ...DEFAULT_HEALTH_CHECK, ...healthCheck }],
});

t.test('health checks are checked too, each kind by its own members', t => {
  const http = { kind: 'http', path: '/', authority: '', headers: [], statuses: [[200, 299]], http2: false };
  t.equal(validateSnapshot(checked({})), undefined);
  t.equal(validateSnapshot(checked({ probe: http })), undefined);
  t.equal(validateSnapshot(checked({ probe: { kind: 'grpc', service: '' } })), undefined);
  const pathOf = (healthCheck: object) => validateSnapshot(checked(healthCheck))?.path;
  t.equal(pathOf({ port: 0 }), 'healthChecks[0].port');
  t.equal(pathOf({ intervalMs: 0 }), 'healthChecks[0].intervalMs');
  t.equal(pathOf({ unhealthyThreshold: 0 }), 'healthChecks[0].unhealthyThreshold');
  t.equal(pathOf({ probe: { kind: 'script' } }), 'healthChecks[0].probe.kind');
  t.equal(pathOf({ probe: { kind: 'grpc' } }), 'healthChecks[0].probe.service');
  t.equal(pathOf({ probe: { ...http, path: '/a b' } }), 'healthChecks[0].probe.path');
  t.equal(pathOf({ probe: { ...http, statuses: [[200]] } }), 'healthChecks[0].probe.statuses[0]');
  t.equal(validateSnapshot({ ...snapshotOf(), healthChecks: {} })?.path, 'healthChecks');
  t.end();
});

t.test('a good snapshot has no problem, also after a trip through JSON', t => {
  t.equal(validateSnapshot(good()), undefined);
  t.equal(validateSnapshot(JSON.parse(JSON.stringify(good()))), undefined);
  t.equal(validateSnapshot(snapshotOf()), undefined, 'one without services');
  t.end();
});

t.test('what a newer release adds is no problem', t => {
  t.equal(validateSnapshot(broken('services[0].mood', 'good')), undefined);
  t.equal(validateSnapshot(broken('services[0].ports[0].policy.jitter', 5)), undefined);
  t.end();
});

t.test('every member has to be there, and of its type', t => {
  const problems: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      const at = Array.isArray(value) ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`;
      // What may be absent, or has free keys.
      const optional =
        /matches\[0\]\.|\.(?:hostname|path|scheme)$|filters\[0\]\.port$|labels|endpoints\[[0-9]\]\.ports\./.test(at);
      if (!Array.isArray(value) && !optional && validateSnapshot(broken(at, undefined))?.path !== at)
        problems.push(`${at} missing`);
      if (!validateSnapshot(broken(at, { wrong: [true] }))?.path.startsWith(at)) problems.push(`${at} an object`);
      // A filter is first asked for its type.
      if (!validateSnapshot(broken(at, true))?.path.startsWith(at) && !at.endsWith('.type'))
        problems.push(`${at} true`);
      visit(member, at);
    }
  };
  visit(JSON.parse(JSON.stringify(good())), '');
  t.same(problems, []);
  t.end();
});

t.test('the problem names the place and says what would be right', t => {
  const port = 'services[0].ports[0]';
  const route = `${port}.routes[0]`;
  const cases: readonly (readonly [path: string, value: unknown, reason: RegExp, at?: string])[] = [
    ['format', 2, /one of 1/],
    ['outboundPolicy', 'DENY', /ALLOW_ANY, REGISTRY_ONLY/],
    ['pathNormalization', 'ALL', /NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES/],
    ['trustDomain', undefined, /is missing/],
    ['services', {}, /a list/],
    ['services[0].name', 'App', /a DNS name/],
    [`${port}.port`, 0, /1 to 65535/],
    [`${port}.port`, 80.5, /1 to 65535/],
    [`${port}.port`, '80', /1 to 65535/],
    [`${port}.protocol`, 'smtp', /http, http2, grpc/],
    [`${port}.policy.loadBalancer`, 'ringHash', /peakEwma/],
    [`${port}.policy.connectTimeoutMs`, 0, /1 or more/],
    [`${port}.policy.requestTimeoutMs`, -1, /0 or more/],
    [`${port}.policy.outlierDetection.maxEjectionPercent`, 101, /0 to 100/],
    [`${port}.policy.outlierDetection.consecutiveFailures`, 0, /1 or more/],
    [`${port}.policy.retryBudget.ratio`, 1.5, /0 to 1/],
    [`${port}.policy.retryBudget.windowMs`, 0, /100 or more/],
    [`${route}.matches[0].cookie`, 'a', /this release does not know/],
    [`${route}.matches[0].path.type`, 'Suffix', /PathPrefix/],
    [`${route}.matches[0].headers[0].name`, 'no space', /a field name/],
    [`${route}.matches[0].headers[0].value`, 'v[0-9', /regular expression: unterminated/],
    [`${route}.matches[0].headers[0].value`, '(?=a)', /regular expression: lookaround/],
    [`${route}.filters[0].type`, 'Mirror', /one of RequestHeaderModifier/],
    [`${route}.filters[0].set[0].value`, 'a\r\nb: c', /without control characters/],
    [`${route}.filters[1].hostname`, 'a b', /a DNS name/],
    [`${port}.routes[1].filters[0].statusCode`, 200, /301, 302/],
    [`${port}.routes[1].filters[0].scheme`, 'ftp', /http, https/],
    [`${route}.backends[0].weight`, -1, /0 to 1000000/],
    [`${route}.backends[0].service`, 'nobody.default', /a service of this snapshot, not "nobody.default"/],
    [`${route}.backends[0].port`, 82, /a port of ledger.books, not 82/],
    [`${route}.retry.codes[0]`, 99, /an HTTP status/],
    [`${route}.retry.attempts`, 101, /0 to 100/],
    ['services[0].endpoints[0].address', '10.0.0.1', /host:port/],
    ['services[0].endpoints[0].address', '10.0.0.1:0', /host:port/],
    ['services[0].endpoints[0].address', '10.0.0.1:65536', /host:port/],
    ['services[0].endpoints[0].address', 'fd00::1:80', /host:port/],
    ['services[0].endpoints[0].identity', 'https://mesh.local/a', /a SPIFFE id/],
    ['services[0].endpoints[0].weight', '1', /a number/],
    ['services[0].endpoints[0].ports', { http: 80 }, /a key like/, 'services[0].endpoints[0].ports.http'],
    ['services[0].endpoints[0].ports', { 80: 0 }, /1 to 65535/, 'services[0].endpoints[0].ports.80'],
    ['services[1]', good().services[0], /the only service app.default/],
  ];
  for (const [path, value, reason, at = path] of cases) {
    const problem = validateSnapshot(broken(path, value));
    t.equal(problem?.path, at);
    t.match(problem?.reason, reason, `${at}: ${problem?.reason}`);
  }
  t.end();
});

t.test('whatever is no object is no snapshot', t => {
  for (const value of [undefined, null, 1, 'snapshot', [], true])
    t.match(validateSnapshot(value), { reason: 'must be an object' });
  t.end();
});

t.test('durations of days are fine, as the API allows them', t => {
  t.equal(validateSnapshot(broken('services[0].ports[0].policy.requestTimeoutMs', 99_999 * 3_600_000)), undefined);
  t.equal(validateSnapshot(broken('services[0].ports[0].policy.retryBudget.windowMs', 86_400_000)), undefined);
  t.end();
});

t.test('members of the prototype do not count', t => {
  const value = Object.create(good()) as object;
  t.match(validateSnapshot(value), { path: 'format', reason: 'is missing' });
  t.match(validateSnapshot(broken('services[0].ports[0].routes[0].filters[0].type', 'constructor')), {
    reason: /one of/,
  });
  t.end();
});

t.test('pipelining is one of two words', t => {
  const pipelining = 'services[0].ports[0].policy.thriftPipelining';
  t.equal(validateSnapshot(broken(pipelining, 'parallel')), undefined);
  t.equal(validateSnapshot(broken(pipelining, 'both'))?.path, pipelining);
  t.end();
});

t.test('servers outside have names, and authorities that can be read', t => {
  const authority = 'services[0].ports[0].authority';
  for (const name of ['api.example.com', 'api.example.com:8443'])
    t.equal(validateSnapshot(broken(authority, name)), undefined);
  for (const name of ['', 'a b', 'api.example.com:', 'a/b'])
    t.equal(validateSnapshot(broken(authority, name))?.path, authority);
  const tls = 'services[0].ports[0].policy.tls';
  t.equal(validateSnapshot(broken(tls, { hostname: '', caCertificates: '' })), undefined);
  t.equal(validateSnapshot(broken(tls, { hostname: '', caCertificates: 'PEM' }))?.path, `${tls}.caCertificates`);
  t.end();
});

t.test('that calls get no reply is true or false', t => {
  const oneway = 'services[0].ports[0].routes[0].oneway';
  t.equal(validateSnapshot(broken(oneway, true)), undefined);
  t.equal(validateSnapshot(broken(oneway, 'yes'))?.path, oneway);
  t.end();
});

t.test('a mirror is a service of the same snapshot', t => {
  const mirror = 'services[0].ports[0].routes[0].mirror';
  const pathOf = (value: unknown) => validateSnapshot(broken(mirror, value))?.path.replace(mirror, 'mirror');
  t.equal(pathOf({ service: 'ledger.books', port: 81, percent: 10 }), undefined);
  t.equal(pathOf({ service: 'ledger.books', port: 82, percent: 10 }), 'mirror.port');
  t.equal(pathOf({ service: 'nobody.books', port: 81, percent: 10 }), 'mirror.service');
  t.equal(pathOf({ service: 'ledger.books', port: 81, percent: 101 }), 'mirror.percent');
  t.end();
});

t.test('a fault has shares from 0 to 100', t => {
  const fault = 'services[0].ports[0].routes[0].fault';
  const pathOf = (value: unknown) => validateSnapshot(broken(fault, value))?.path.replace(fault, 'fault');
  t.equal(pathOf({ delayMs: 10, delayPercent: 100, abortPercent: 0 }), undefined);
  t.equal(pathOf({ delayMs: 10, delayPercent: 101, abortPercent: 0 }), 'fault.delayPercent');
  t.equal(pathOf({ delayMs: -1, delayPercent: 0, abortPercent: 0 }), 'fault.delayMs');
  t.end();
});

t.test('who may connect to the app is one of three words, for all ports and by port', t => {
  const pathOf = (mtls: unknown) => validateSnapshot({ ...snapshotOf(), mtls })?.path;
  t.equal(pathOf({ mode: 'PERMISSIVE', ports: { 8080: 'STRICT' } }), undefined);
  t.equal(pathOf({ mode: 'OPEN', ports: {} }), 'mtls.mode');
  t.equal(pathOf({ mode: 'STRICT', ports: { 8080: 'OPEN' } }), 'mtls.ports.8080');
  t.equal(pathOf({ mode: 'STRICT', ports: { http: 'STRICT' } }), 'mtls.ports.http');
  t.end();
});
