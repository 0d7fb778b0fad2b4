import t from 'tap';
import { RouteTable } from '../../../../sidecar/route/route-table.ts';
import { portView, routeView, serviceView, snapshotOf } from './snapshot.fixture.ts';

const table = new RouteTable(
  snapshotOf(
    serviceView('books', {
      addresses: ['10.96.0.7', '2001:db8::7'],
      ports: [portView(8_080), portView(9_090, { protocol: 'grpc' })],
    }),
    serviceView('ledger', { namespace: 'payments' }),
    serviceView('queue', {
      ports: [portView(7_000, { protocol: 'tcp' }), portView(7_001, { protocol: 'grpc' }), portView(7_002)],
    }),
    serviceView('files', { ports: [portView(21, { protocol: 'tcp' }), portView(20, { protocol: 'thrift' })] }),
    serviceView('empty', { ports: [] }),
    serviceView('odd', { namespace: 'mesh' }),
  ),
  'default',
);
const found = (authority: string): string | undefined => table.find(authority)?.key;

t.test('a service is found by each of its names, with and without a port', t => {
  for (const name of [
    'ledger.payments',
    'ledger.payments.svc.cluster.local',
    'ledger.payments.mesh',
    'ledger.payments.svc',
  ]) {
    t.equal(found(name), 'ledger.payments:80', name);
    t.equal(found(`${name}:80`), 'ledger.payments:80', `${name}:80`);
    t.equal(found(`${name}.`), 'ledger.payments:80', `${name}.`);
    t.equal(found(`${name.toUpperCase()}:80`), 'ledger.payments:80', 'in any case');
  }
  t.equal(found('books:9090'), 'books.default:9090', 'short in its own namespace');
  t.end();
});

t.test('a short name is of the own namespace and no other', t => {
  t.equal(found('ledger'), undefined);
  t.equal(found('books.payments'), undefined);
  t.equal(
    new RouteTable(snapshotOf(serviceView('ledger', { namespace: 'payments' })), 'payments').find('ledger')?.key,
    'ledger.payments:80',
  );
  t.end();
});

t.test('a namespace called mesh is a namespace', t => {
  t.equal(found('odd.mesh'), 'odd.mesh:80');
  t.equal(found('odd.mesh.mesh'), 'odd.mesh:80');
  t.equal(found('books.mesh'), undefined, 'a suffix needs a namespace before it');
  t.end();
});

t.test('without a port, or with port 80 where there is none, the first HTTP port is meant', t => {
  t.equal(found('books'), 'books.default:8080');
  t.equal(found('books:80'), 'books.default:8080');
  t.equal(found('queue'), 'queue.default:7001', 'gRPC is HTTP');
  t.equal(found('files'), 'files.default:21', 'else the first declared one');
  t.equal(found('files:80'), 'files.default:21');
  t.end();
});

t.test('any other port must be there', t => {
  t.equal(found('books:8081'), undefined);
  t.equal(found('books:443'), undefined);
  t.equal(found('empty'), undefined);
  t.equal(found('empty:80'), undefined);
  t.end();
});

t.test('what is no name of the mesh finds nothing', t => {
  const names = [
    '',
    '.',
    ':',
    ':80',
    'books:',
    'books:x',
    'books:808080',
    'books default',
    'books.default.example.com',
  ];
  for (const name of [
    ...names,
    '[books]:80',
    'user@books',
    'constructor',
    '__proto__',
    'books..',
    'books.default:80:80',
  ]) {
    t.equal(found(name), undefined, name);
  }
  t.end();
});

t.test('a service is found by its address and port', t => {
  t.equal(table.findByAddress('10.96.0.7', 9_090)?.key, 'books.default:9090');
  t.equal(
    table.findByAddress('::ffff:10.96.0.7', 9_090)?.key,
    'books.default:9090',
    'as a socket of both families calls it',
  );
  t.equal(table.findByAddress('2001:DB8:0:0::7', 8_080)?.key, 'books.default:8080', 'in any spelling');
  t.equal(table.findByAddress('10.96.0.7', 80), undefined, 'port 80 is no other port here');
  t.equal(table.findByAddress('10.96.0.8', 8_080), undefined);
  t.equal(found('10.96.0.7:8080'), 'books.default:8080', 'also as an authority');
  t.equal(found('[2001:db8::7]:8080'), 'books.default:8080');
  t.equal(found('10.96.0.7'), undefined, 'which needs a port');
  t.end();
});

t.test('a server outside is found by its name and port, and of several ports by the one with its number', t => {
  const ports = [80, 443, 81].map(port => portView(port, { authority: 'api.example' }));
  const endpoint = { identity: null, weight: 1, workload: 'out', labels: {}, locality: '' };
  const endpoints = [{ ...endpoint, address: 'api.example:443', ports: { 80: 443, 443: 443, 81: 443 } }];
  const outside = new RouteTable(snapshotOf(serviceView('out', { ports, endpoints })), 'default');
  t.equal(outside.find('sni=api.example:443')?.key, 'out.default:443');
  t.equal(outside.find('sni=api.example:80'), undefined);
  t.equal(outside.find('api.example:443'), undefined, 'as a Host it is no name of the mesh');
  t.end();
});

t.test('names from the network cannot fill the memory, and do not push out an answer', t => {
  for (let i = 0; i < 5_000; i++) table.find(`unknown-${i}`);
  t.equal(found('x'.repeat(100_000)), undefined);
  t.equal(found('books'), 'books.default:8080');
  const memo = Reflect.get(table, 'memo') as ReadonlyMap<string, unknown>;
  t.ok(memo.size <= 1_000, `${memo.size} names are kept`);
  t.notOk([...memo.keys()].some(name => name.length > 260));
  t.end();
});

t.test('the same service port is the same object each time', t => {
  t.equal(table.find('books'), table.find('BOOKS.default:8080'));
  t.end();
});

t.test('the backends of a rule name their clusters; one that does not resolve has none', t => {
  const backends = [
    { service: 'v1.default', port: 80, weight: 9, filters: [] },
    { service: null, port: 80, weight: 1, filters: [] },
  ];
  const { rules = [] } =
    new RouteTable(
      snapshotOf(serviceView('app', { ports: [portView(80, { routes: [routeView({ backends })] })] })),
      'default',
    ).find('app') ?? {};
  t.same(
    rules[0]?.backends.map(backend => backend.clusterKey),
    ['v1.default:80', undefined],
  );
  t.end();
});
