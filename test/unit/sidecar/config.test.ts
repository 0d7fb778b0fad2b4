import t from 'tap';
import { formatAddress, parseAddress, readConfig, type SidecarConfig } from '../../../sidecar/config.ts';

const read = (env: Record<string, string>) => readConfig({ OUTRIDER_SERVICE: 'web', ...env });
const config = (env: Record<string, string> = {}): SidecarConfig => {
  const result = read(env);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.config;
};

t.test('a service name is all that must be said', t => {
  t.same(config(), {
    service: 'web',
    namespace: 'default',
    serviceAccount: 'web',
    appPorts: [],
    appAddress: '127.0.0.1',
    appProbes: [],
    controlPlanes: ['https://127.0.0.1:15012'],
    tokenFile: '',
    caFile: '',
    inbound: { host: '::', port: 15_006 },
    outbound: { host: '127.0.0.1', port: 15_001 },
    interception: 'none',
    upstreams: [],
    advertise: undefined,
    admin: { host: '127.0.0.1', port: 15_000 },
    metrics: { host: '0.0.0.0', port: 15_020 },
    stateDir: '',
    labels: {},
    locality: '',
    drainMs: 30_000,
    logLevel: 'info',
    accessLog: 'errors',
    workers: 1,
  });
  t.same(read({ OUTRIDER_SERVICE: '' }), {
    problems: [
      { variable: 'OUTRIDER_SERVICE', reason: 'must be a DNS name such as "web", not ""' },
      { variable: 'OUTRIDER_SERVICE_ACCOUNT', reason: 'must be a DNS name such as "web", not ""' },
    ],
  });
  t.end();
});

t.test('each variable sets what it says', t => {
  const table: [variable: string, value: string, expected: Partial<SidecarConfig>][] = [
    ['OUTRIDER_NAMESPACE', 'shop', { namespace: 'shop' }],
    ['OUTRIDER_INTERCEPTION', 'redirect', { interception: 'redirect' }],
    ['OUTRIDER_SERVICE_ACCOUNT', 'robot.one', { serviceAccount: 'robot.one' }],
    ['OUTRIDER_APP_PORTS', '8080', { appPorts: [{ port: 8_080, protocol: 'http' }] }],
    [
      'OUTRIDER_APP_PORTS',
      'http=8080, grpc=50051,tcp=5432',
      {
        appPorts: [
          { port: 8_080, protocol: 'http' },
          { port: 50_051, protocol: 'grpc' },
          { port: 5_432, protocol: 'tcp' },
        ],
      },
    ],
    ['OUTRIDER_APP_ADDRESS', '10.0.0.9', { appAddress: '10.0.0.9' }],
    ['OUTRIDER_CONTROL_PLANE', 'https://a:1, https://b:2', { controlPlanes: ['https://a:1', 'https://b:2'] }],
    ['OUTRIDER_CONTROL_PLANE', 'none', { controlPlanes: [] }],
    ['OUTRIDER_TOKEN_FILE', '/t', { tokenFile: '/t' }],
    ['OUTRIDER_CA_FILE', '/c', { caFile: '/c' }],
    ['OUTRIDER_INBOUND', '0.0.0.0:1', { inbound: { host: '0.0.0.0', port: 1 } }],
    ['OUTRIDER_OUTBOUND', '[::1]:0', { outbound: { host: '::1', port: 0 } }],
    [
      'OUTRIDER_UPSTREAMS',
      'payments=127.0.0.1:9101,ledger.books:81=[::1]:9102',
      {
        upstreams: [
          { host: '127.0.0.1', port: 9_101, service: 'payments' },
          { host: '::1', port: 9_102, service: 'ledger.books:81' },
        ],
      },
    ],
    ['OUTRIDER_ADVERTISE', '10.0.0.1:15006', { advertise: { host: '10.0.0.1', port: 15_006 } }],
    ['OUTRIDER_ADMIN', '127.0.0.1:2', { admin: { host: '127.0.0.1', port: 2 } }],
    ['OUTRIDER_METRICS', '127.0.0.1:3', { metrics: { host: '127.0.0.1', port: 3 } }],
    ['OUTRIDER_STATE_DIR', '/s', { stateDir: '/s' }],
    ['OUTRIDER_LABELS', 'version=v2,note=a=b,empty=', { labels: { version: 'v2', note: 'a=b', empty: '' } }],
    ['OUTRIDER_LOCALITY', 'eu/a', { locality: 'eu/a' }],
    ['OUTRIDER_DRAIN', '1m30s', { drainMs: 90_000 }],
    ['OUTRIDER_LOG_LEVEL', 'debug', { logLevel: 'debug' }],
    ['OUTRIDER_ACCESS_LOG', 'all', { accessLog: 'all' }],
    ['OUTRIDER_WORKERS', '2', { workers: 2 }],
  ];
  const defaults = config();
  for (const [variable, value, expected] of table) {
    t.same(config({ [variable]: value }), { ...defaults, ...expected }, `${variable}=${value}`);
    t.same(config({ [variable]: '' }), defaults, `an empty ${variable} counts as none`);
  }
  t.end();
});

t.test('each wrong value is named, with what would be right', t => {
  const wrong: Record<string, readonly string[]> = {
    OUTRIDER_SERVICE: ['Web', '-web', 'web-', 'a b', 'web.shop', 'x'.repeat(64)],
    OUTRIDER_NAMESPACE: ['Shop', '.', 'a.b'],
    OUTRIDER_SERVICE_ACCOUNT: ['a/b'],
    OUTRIDER_APP_PORTS: ['0', '65536', 'x', 'soap=80', 'http=', '8080=http', 'http=1=2', '-1', '1e3'],
    OUTRIDER_CONTROL_PLANE: ['http://a:1', 'a:1', 'https://a,', ','],
    OUTRIDER_INBOUND: ['15006', 'host', 'a:b', '::1:80', '[::1]', 'a:65536', 'a:123456', ':80'],
    OUTRIDER_OUTBOUND: ['x'],
    OUTRIDER_UPSTREAMS: ['payments', 'payments=9101', '=127.0.0.1:1', 'pay ments=127.0.0.1:1', 'payments=127.0.0.1:'],
    OUTRIDER_ADVERTISE: ['10.0.0.1'],
    OUTRIDER_ADMIN: ['x'],
    OUTRIDER_METRICS: ['x'],
    OUTRIDER_LABELS: ['version', '=v2'],
    OUTRIDER_DRAIN: ['30', 'soon', '-1s'],
    OUTRIDER_LOG_LEVEL: ['verbose', 'INFO'],
    OUTRIDER_INTERCEPTION: ['tproxy'],
    OUTRIDER_ACCESS_LOG: ['some'],
    OUTRIDER_WORKERS: ['0', '17', '1.5', 'two', '-1', '100'],
  };
  for (const [variable, values] of Object.entries(wrong)) {
    for (const value of values) {
      const result = read({ [variable]: value });
      const problems = 'problems' in result ? result.problems : [];
      t.ok(problems.length >= 1, `${variable}=${value}`);
      t.equal(problems[0]?.variable, variable);
      t.match(problems[0]?.reason, /^must be .+, not "/);
    }
  }
  t.end();
});

t.test('all problems are reported together', t => {
  const result = read({ OUTRIDER_DRAIN: 'x', OUTRIDER_ADMIN: 'x', OUTRIDER_APP_PORTS: 'a,b' });
  t.same('problems' in result && result.problems.map(({ variable }) => variable), [
    'OUTRIDER_APP_PORTS',
    'OUTRIDER_APP_PORTS',
    'OUTRIDER_ADMIN',
    'OUTRIDER_DRAIN',
  ]);
  t.end();
});

t.test('addresses are written as they are read', t => {
  for (const text of ['127.0.0.1:80', '[::1]:80', 'localhost:0', '[fe80::1]:65535'])
    t.equal(formatAddress(parseAddress(text) ?? { host: '', port: -1 }), text);
  t.end();
});
