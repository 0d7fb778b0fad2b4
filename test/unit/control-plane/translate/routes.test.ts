import t from 'tap';
import {
  backend,
  exact,
  grant,
  grpcRoute,
  httpRoute,
  policy,
  prefix,
  rpcRoute,
  service,
  translatorOf,
} from '../../../support/objects.ts';

const routesOf = (translator: ReturnType<typeof translatorOf>, key = 'web.shop', callers = 'shop', port = 0) =>
  translator.view(key, callers)?.config.ports[port]?.routes ?? [];
const toV1 = { backendRefs: [backend('web-v1')] };

t.test('of all matches of all routes the most specific comes first, as the Gateway API says', t => {
  const routes = routesOf(
    translatorOf(
      service('web'),
      httpRoute('old', { name: 'web' }, [
        { name: 'root', matches: [prefix('/')] },
        { name: 'api', matches: [prefix('/api')] },
        { name: 'api-post', matches: [{ ...prefix('/api'), method: 'POST' }] },
        { name: 'api-header', matches: [{ ...prefix('/api'), headers: [{ type: 'Exact', name: 'X-A', value: '1' }] }] },
        {
          name: 'api-query',
          matches: [{ ...prefix('/api'), queryParams: [{ type: 'Exact', name: 'q', value: '1' }] }],
        },
      ]),
      httpRoute(
        'new',
        { name: 'web' },
        [
          { name: 'exact', matches: [exact('/x')] },
          { name: 'api-too', matches: [prefix('/api')] },
        ],
        {
          creationTimestamp: '2026-02-01T00:00:00Z',
        },
      ),
    ),
  );
  t.same(
    routes.map(({ name }) => name),
    [
      'shop/new/exact',
      'shop/old/api-post',
      'shop/old/api-header',
      'shop/old/api-query',
      'shop/old/api',
      'shop/new/api-too',
      'shop/old/root',
    ],
  );
  t.match(routes[2]?.matches, [{ headers: [{ name: 'x-a' }] }], 'header names are lower-case');
  t.same(routes.at(-1)?.matches, [{}], 'the prefix / matches everything');
  t.end();
});

t.test('routes of the same age are ordered by name, and rules without a name by their number', t => {
  const rule = { matches: [prefix('/')] };
  const routes = routesOf(
    translatorOf(
      service('web'),
      httpRoute('b', { name: 'web' }, [rule]),
      httpRoute('a', { name: 'web' }, [rule, rule]),
    ),
  );
  t.same(
    routes.map(({ name }) => name),
    ['shop/a/0', 'shop/a/1', 'shop/b/0'],
  );
  t.end();
});

t.test('a route holds for the ports that it names, by number or by name', t => {
  const ports = [
    { name: 'http', port: 80, protocol: 'TCP' as const },
    { name: 'http-alt', port: 8080, protocol: 'TCP' as const },
    { name: 'tcp-db', port: 5432, protocol: 'TCP' as const },
  ];
  const translator = translatorOf(
    service('web', { ports }),
    httpRoute('by-number', { name: 'web', port: 80 }, [{ matches: [prefix('/')] }]),
    httpRoute('by-name', { name: 'web', sectionName: 'http-alt' }, [{ matches: [prefix('/')] }]),
    httpRoute('all', { name: 'web' }, [{ matches: [prefix('/')] }]),
  );
  const names = (port: number) => routesOf(translator, 'web.shop', 'shop', port).map(({ name }) => name);
  t.same(names(0), ['shop/all/0', 'shop/by-number/0']);
  t.same(names(1), ['shop/all/0', 'shop/by-name/0']);
  t.same(names(2), [], 'a TCP port has no requests to route');
  t.end();
});

t.test('a route in the namespace of the callers replaces those of the service, for these callers alone', t => {
  const translator = translatorOf(
    service('web'),
    httpRoute('producer', { name: 'web' }, [{ matches: [prefix('/')] }]),
    httpRoute('consumer', { name: 'web', namespace: 'shop' }, [{ matches: [prefix('/')] }], { namespace: 'office' }),
  );
  t.match(routesOf(translator, 'web.shop', 'office'), [{ name: 'office/consumer/0' }]);
  t.match(routesOf(translator, 'web.shop', 'shop'), [{ name: 'shop/producer/0' }]);
  t.match(routesOf(translator, 'web.shop', 'elsewhere'), [{ name: 'shop/producer/0' }]);
  t.equal(translator.view('web.shop', 'shop'), translator.view('web.shop', 'elsewhere'), 'compiled once');
  t.end();
});

t.test('backends that are not there, have no such port or are not granted resolve to null', t => {
  const refs = [
    backend('web-v1', 90),
    backend('nowhere'),
    backend('web-v1', 1, 81),
    { ...backend('stock'), namespace: 'depot' },
    { ...backend('secret'), namespace: 'depot' },
  ];
  const objects = [
    service('web'),
    service('web-v1'),
    service('stock', {}, 'depot'),
    service('secret', {}, 'depot'),
    httpRoute('split', { name: 'web' }, [{ matches: [prefix('/')], backendRefs: refs }]),
  ];
  const translator = translatorOf(...objects, grant('depot', 'shop', 'HTTPRoute', 'stock'));
  t.same(
    routesOf(translator)[0]?.backends.map(({ service: name, weight }) => [name, weight]),
    [
      ['web-v1.shop', 90],
      [null, 1],
      [null, 1],
      ['stock.depot', 1],
      [null, 1],
    ],
  );
  t.same(translator.view('web.shop', 'shop')?.backends, ['web-v1.shop', 'stock.depot']);
  translator.apply({ type: 'DELETED', object: grant('depot', 'shop', 'HTTPRoute', 'stock') });
  t.equal(routesOf(translator)[0]?.backends[3]?.service, null, 'a grant that is taken back holds no more');
  const other = translatorOf(...objects, grant('depot', 'shop', 'GRPCRoute'));
  t.equal(routesOf(other)[0]?.backends[3]?.service, null, 'a grant for another kind is none');
  t.end();
});

t.test('filters, timeouts and retries come along', t => {
  const [first] = routesOf(
    translatorOf(
      service('web'),
      service('web-v1'),
      httpRoute('all', { name: 'web' }, [
        {
          matches: [prefix('/a')],
          filters: [
            {
              type: 'RequestHeaderModifier',
              requestHeaderModifier: { set: [{ name: 'X-A', value: '1' }], remove: ['X-B'] },
            },
            { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/b' } } },
          ],
          timeouts: { request: '2s', backendRequest: '500ms' },
          retry: { attempts: 3, codes: [503], backoff: '10ms' },
          ...toV1,
        },
      ]),
    ),
  );
  t.match(first, {
    filters: [
      { type: 'RequestHeaderModifier', set: [{ name: 'x-a', value: '1' }], add: [], remove: ['x-b'] },
      { type: 'URLRewrite', path: { type: 'ReplacePrefixMatch', value: '/b' } },
    ],
    requestTimeoutMs: 2_000,
    attemptTimeoutMs: 500,
    retry: { attempts: 3, codes: [503], backoffMs: 10, on: ['connect-failure', 'refused-stream'] },
  });
  const [redirect] = routesOf(
    translatorOf(
      service('web'),
      httpRoute('away', { name: 'web' }, [
        {
          matches: [prefix('/')],
          filters: [
            {
              type: 'RequestRedirect',
              requestRedirect: {
                scheme: 'https',
                hostname: 'x.example',
                port: 443,
                statusCode: 301,
                path: { type: 'ReplaceFullPath', replaceFullPath: '/' },
              },
            },
          ],
        },
      ]),
    ),
  );
  t.match(redirect, {
    filters: [
      {
        type: 'RequestRedirect',
        scheme: 'https',
        hostname: 'x.example',
        port: 443,
        statusCode: 301,
        path: { value: '/' },
      },
    ],
    backends: [],
    requestTimeoutMs: null,
    retry: null,
  });
  t.end();
});

t.test('gRPC matches become paths, and rank by service, then by method', t => {
  const routes = routesOf(
    translatorOf(
      service('web', { ports: [{ name: 'grpc', port: 80, protocol: 'TCP' }] }),
      grpcRoute('calls', { name: 'web' }, [
        { name: 'any' },
        { name: 'method', matches: [{ method: { type: 'Exact', method: 'Buy' } }] },
        { name: 'service', matches: [{ method: { type: 'Exact', service: 'shop.Cart' } }] },
        { name: 'both', matches: [{ method: { type: 'Exact', service: 'shop.Cart', method: 'Buy' } }] },
        { name: 'pattern', matches: [{ method: { type: 'RegularExpression', service: 'shop\\..*' } }] },
        { name: 'header', matches: [{ headers: [{ type: 'Exact', name: 'a', value: 'b' }] }] },
      ]),
    ),
  );
  t.same(
    routes.map(({ name, matches }) => [name.split('/')[2], matches[0]?.path?.value]),
    [
      ['both', '/shop.Cart/Buy'],
      ['pattern', '/(?:shop\\..*)/(?:[^/]+)'],
      ['service', '/shop.Cart'],
      ['method', '/[^/]+/Buy'],
      ['header', undefined],
      ['any', undefined],
    ],
  );
  t.end();
});

t.test('a mirror is known to callers, and one that does not resolve gets nothing', t => {
  const mirrorTo = (name: string) => ({
    type: 'RequestMirror' as const,
    requestMirror: { backendRef: { group: '', kind: 'Service', name, port: 80 }, percent: 100 },
  });
  const translator = translatorOf(
    service('web'),
    service('shadow'),
    httpRoute('r', { name: 'web' }, [
      { matches: [prefix('/a')], filters: [mirrorTo('shadow')], backendRefs: [backend('web')] },
      { matches: [prefix('/b')], filters: [mirrorTo('nobody')], backendRefs: [backend('web')] },
    ]),
  );
  t.match(routesOf(translator), [
    { filters: [], mirror: { service: 'shadow.shop', port: 80, percent: 100 } },
    { filters: [], mirror: undefined },
  ]);
  t.same(translator.view('web.shop', 'shop')?.backends, ['shadow.shop']);
  t.end();
});

const THRIFT = service('web', { ports: [{ name: 'thrift', port: 80, protocol: 'TCP' }] });

t.test(
  'RPC matches become paths, with or without the service of a multiplexed call; what matches nothing goes to the service',
  t => {
    const routes = routesOf(
      translatorOf(
        THRIFT,
        rpcRoute('calls', { name: 'web' }, [
          { name: 'method', matches: [{ method: { type: 'Exact', method: 'add' } }], ...toV1 },
          { name: 'service', matches: [{ method: { type: 'Exact', service: 'a.Calc' } }], ...toV1 },
          {
            name: 'both',
            matches: [{ method: { type: 'Exact', service: 'Calc', method: 'add' } }],
            idempotent: true,
            timeouts: { request: '2s', backendRequest: '1s' },
            fault: { delay: { duration: '3s', percent: 5 } },
            mirror: { backendRef: { group: '', kind: 'Service', name: 'web', port: 80 }, percent: 20 },
            oneway: true,
            ...toV1,
          },
          { name: 'pattern', matches: [{ method: { type: 'RegularExpression', method: 'get.*|list' } }], ...toV1 },
          { name: 'header', matches: [{ headers: [{ type: 'Exact', name: 'Tenant', value: 'b' }] }], ...toV1 },
        ]),
      ),
    );
    t.same(
      routes.map(({ name, matches }) => [name.split('/')[2], matches[0]?.path?.value]),
      [
        ['both', '/(?:-|Calc)/(?:add)'],
        ['method', '/[^/]+/(?:add)'],
        ['pattern', '/[^/]+/(?:get.*|list)'],
        ['service', '/(?:-|a\\.Calc)/[^/]+'],
        ['header', undefined],
        [undefined, undefined],
      ],
    );
    t.match(routes[0], {
      requestTimeoutMs: 2_000,
      attemptTimeoutMs: 1_000,
      retry: { attempts: 1, on: ['reset'], codes: [] },
      fault: { delayMs: 3_000, delayPercent: 5, abortPercent: 0 },
      mirror: { service: 'web.shop', port: 80, percent: 20 },
      oneway: true,
    });
    t.equal(routes[1]?.oneway, undefined);
    t.equal(routes[1]?.fault, undefined);
    t.equal(routes[1]?.retry, null, 'nothing is repeated that is not idempotent');
    t.match(routes.at(-1), { backends: [{ service: 'web.shop', port: 80, weight: 1 }] });
    t.end();
  },
);

const HESSIAN = service('web', { ports: [{ name: 'api', port: 80, appProtocol: 'hessian', protocol: 'TCP' }] });

t.test(
  'on a Hessian port the service of a match is a path or its last segment, and the method is that of the body',
  t => {
    const routes = routesOf(
      translatorOf(
        HESSIAN,
        rpcRoute('calls', { name: 'web' }, [
          { name: 'service', matches: [{ method: { type: 'Exact', service: 'accounts' } }], ...toV1 },
          {
            name: 'both',
            matches: [{ method: { type: 'Exact', service: '/remoting/accounts', method: 'add' } }],
            idempotent: true,
            ...toV1,
          },
          { name: 'method', matches: [{ method: { type: 'Exact', method: 'add' } }], ...toV1 },
          {
            name: 'pattern',
            matches: [{ method: { type: 'RegularExpression', service: '/a.*', method: 'get.*' } }],
            ...toV1,
          },
          { name: 'rest', matches: [], ...toV1 },
        ]),
      ),
    );
    t.same(
      routes.map(({ name, matches }) => [name, matches]),
      [
        [
          'shop/calls/both',
          [{ path: { type: 'Exact', value: '/remoting/accounts' }, rpcMethod: { type: 'Exact', value: 'add' } }],
        ],
        ['shop/calls/method', [{ rpcMethod: { type: 'Exact', value: 'add' } }]],
        [
          'shop/calls/pattern',
          [
            {
              path: { type: 'RegularExpression', value: '/a.*' },
              rpcMethod: { type: 'RegularExpression', value: 'get.*' },
            },
          ],
        ],
        ['shop/calls/service', [{ path: { type: 'RegularExpression', value: '(?:/[^/]*)*/accounts' } }]],
        ['shop/calls/rest', [{}]],
        ['', []],
      ],
    );
    t.match(routes[0]?.retry, { on: ['reset'] }, 'an idempotent method is repeated');
    t.end();
  },
);

t.test('RPC routes are for Thrift and Hessian ports, and the others are not', t => {
  const rpc = rpcRoute('calls', { name: 'web' }, [{ matches: [], ...toV1 }]);
  t.same(routesOf(translatorOf(service('web'), rpc)), []);
  t.same(routesOf(translatorOf(THRIFT, httpRoute('r', { name: 'web' }, [{ matches: [prefix('/')] }]))), []);
  const http = httpRoute('r', { name: 'web' }, [{ matches: [prefix('/')] }]);
  const names = (translator: ReturnType<typeof translatorOf>) => routesOf(translator).map(({ name }) => name);
  t.same(names(translatorOf(HESSIAN, http)), ['shop/r/0'], 'a Hessian port is one of HTTP too');
  t.same(names(translatorOf(HESSIAN, http, rpc)), ['shop/calls/0', ''], 'where RPC routes go before the others');
  t.end();
});

t.test("a policy's retry holds for routes without one, and for ports without routes", t => {
  const retry = policy('retries', { retry: { attempts: 2, on: ['5xx'] } });
  t.match(routesOf(translatorOf(service('web'), retry)), [
    {
      name: '',
      matches: [],
      backends: [{ service: 'web.shop', port: 80, weight: 1 }],
      retry: { attempts: 2, on: ['5xx'] },
    },
  ]);
  const routed = routesOf(
    translatorOf(
      service('web'),
      retry,
      httpRoute('r', { name: 'web' }, [{ matches: [exact('/a')] }, { matches: [prefix('/')], retry: { attempts: 5 } }]),
    ),
  );
  t.match(routed, [{ retry: { attempts: 2 } }, { retry: { attempts: 5 } }]);
  t.end();
});
