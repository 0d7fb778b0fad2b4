import t from 'tap';
import { formatPeerHello, parsePeerHello, parsePeerWorker } from '../../../../sidecar/listener/peer-hello.ts';

const hello = { service: 'web', namespace: 'shop', labels: { version: 'v2' }, release: '1', worker: 0, workers: 1 };

t.test('what a sidecar says of itself is read by the next', t => {
  t.same(parsePeerHello(formatPeerHello(hello)), { service: 'web', namespace: 'shop' });
  t.same(JSON.parse(formatPeerHello(hello).toString()), hello);
  t.same(parsePeerHello(Buffer.from('{"service":"a","namespace":"b","new":[1]}')), { service: 'a', namespace: 'b' });
  t.end();
});

t.test('labels that make it too long are left out', t => {
  const long = formatPeerHello({ ...hello, labels: { note: 'x'.repeat(5_000) } });
  t.ok(long.length <= 4_096);
  t.same(JSON.parse(long.toString()).labels, {});
  t.end();
});

t.test('what can’t be used says nothing', t => {
  const bad = ['', '{', 'null', '[]', '1', '"x"', '{}', '{"service":"web"}', '{"service":1,"namespace":"b"}'];
  for (const text of [...bad, '{"service":"A","namespace":"b"}', '{"service":"a\\n","namespace":"b"}'])
    t.equal(parsePeerHello(Buffer.from(text)), undefined, text);
  const padded = `${JSON.stringify(hello)}${' '.repeat(4_096)}`;
  t.equal(parsePeerHello(Buffer.from(padded)), undefined, 'nor what is longer than allowed');
  t.end();
});

t.test('a peer says which of its workers has the connection, and where it says nothing usable there is one', t => {
  const worker = (members: object) => parsePeerWorker(Buffer.from(JSON.stringify({ ...hello, ...members })));
  t.same(worker({ worker: 1, workers: 2 }), { number: 1, count: 2 });
  const only = { number: 0, count: 1 };
  t.same(worker({ worker: 2, workers: 2 }), only);
  t.same(worker({ worker: -1, workers: 2 }), only);
  t.same(worker({ worker: 0, workers: 65 }), only, 'each worker is a connection to make');
  t.same(worker({ worker: '0', workers: 2 }), only);
  t.same(worker({ worker: 0.5, workers: 2 }), only);
  t.same(parsePeerWorker(Buffer.from('[')), only);
  t.same(parsePeerWorker(Buffer.from('null')), only);
  t.end();
});
