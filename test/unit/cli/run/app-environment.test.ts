import t from 'tap';
import { appEnvironment, upstreamVariable } from '../../../../cli/run/app-environment.ts';

const outbound = { host: '127.0.0.1', port: 15001 };

t.test('an app gets the proxy by every name that clients know, but not for TLS', t => {
  const upstreams = new Map([
    ['payments', { host: '127.0.0.1', port: 9101 }],
    ['ledger.books', { host: '::1', port: 9102 }],
  ]);
  const env = appEnvironment({ PATH: '/bin' }, { outbound, upstreams });
  const proxy = 'http://127.0.0.1:15001';
  t.same(env, {
    PATH: '/bin',
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    grpc_proxy: proxy,
    NO_PROXY: 'localhost,127.0.0.1,::1',
    no_proxy: 'localhost,127.0.0.1,::1',
    NODE_USE_ENV_PROXY: '1',
    OUTRIDER_UPSTREAM_PAYMENTS: '127.0.0.1:9101',
    OUTRIDER_UPSTREAM_LEDGER_BOOKS: '[::1]:9102',
  });
  t.end();
});

t.test('hosts that were direct before stay direct', t => {
  const direct = (given: NodeJS.ProcessEnv) => appEnvironment(given, { outbound, upstreams: new Map() }).no_proxy;
  t.equal(direct({ NO_PROXY: '.corp, localhost' }), '.corp,localhost,127.0.0.1,::1');
  t.equal(direct({ NO_PROXY: 'a', no_proxy: 'b' }), 'b,localhost,127.0.0.1,::1', 'lower case wins, as in curl');
  t.end();
});

t.test('the variable of an upstream has only letters, digits and _', t => {
  t.equal(upstreamVariable('ledger-2.books:8080'), 'OUTRIDER_UPSTREAM_LEDGER_2_BOOKS_8080');
  t.end();
});
