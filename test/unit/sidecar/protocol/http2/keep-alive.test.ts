import { ClientBench, ServerBench, test } from './recorders.ts';
import { ACK, GET, headers, ping } from './wire.ts';

const LINK = { link: true, hello: Buffer.from('{}') };
/** The acknowledgement of a PING that asks whether we are there. */
const HERE = ping(ACK, '\0\0\0\0\0\0\0\u0001');
const LOST = { code: 'UPSTREAM_CLOSED', detail: 'connection_lost' };

test('a peer that is silent is asked, and lost when it does not answer', async t => {
  const bench = await ClientBench.open(t, LINK);
  const { response } = bench.send();
  await bench.settle();
  bench.news();
  bench.clock.advance(5_000);
  bench.clock.advance(4_999);
  await bench.settle();
  t.same(bench.news(), [], 'the opening was heard');
  bench.clock.advance(1);
  await bench.settle();
  t.same(bench.news(), ['PING']);
  bench.clock.advance(4_999);
  t.equal(response.reset, undefined);
  bench.clock.advance(1);
  t.match(response.reset, LOST);
  t.match(bench.closes, [LOST]);
});

test('a peer that answers, or says anything, is not lost', async t => {
  const bench = await ClientBench.open(t, LINK);
  const { response } = bench.send();
  await bench.settle();
  bench.news();
  for (let round = 0; round < 3; round++) {
    bench.clock.advance(5_000);
    bench.clock.advance(5_000);
    await bench.receive(HERE);
    t.same(bench.news(), ['PING']);
  }
  await bench.receive(headers(1, [':status', '200'], 0));
  bench.clock.advance(5_000);
  bench.clock.advance(4_999);
  t.same(bench.news(), [], 'who speaks is not asked');
  t.equal(response.reset, undefined);
});

test('who was away itself asks again', async t => {
  const bench = await ClientBench.open(t, LINK);
  bench.clock.advance(5_000);
  bench.clock.advance(5_000);
  // The event loop stood still: one timer fires late, before what has come in is read.
  const { clock } = bench;
  const start = clock.nowMs();
  Object.assign(clock, { nowMs: () => start + 60_000 });
  clock.advance(5_000);
  t.notOk(bench.closed);
  clock.advance(5_000);
  t.match(bench.closes, [{ code: 'UPSTREAM_CLOSED', detail: 'connection_lost' }], 'and then it is over');
});

test('a caller that is gone is noticed too, and other connections than links are left alone', async t => {
  const link = await ServerBench.open(t, LINK);
  await link.receive(headers(1, GET));
  link.news();
  for (let i = 0; i < 3; i++) link.clock.advance(5_000);
  t.match(link.request.reset, { code: 'DOWNSTREAM_RESET', detail: 'connection_lost' });

  const plain = await ServerBench.open(t);
  for (let i = 0; i < 10; i++) plain.clock.advance(5_000);
  t.notOk(plain.closed);
  t.same(plain.news(), []);
});

test('an answer to our question is not taken for the one that a drain waits for', async t => {
  const bench = await ServerBench.open(t, LINK);
  await bench.receive(headers(1, GET));
  bench.connection.drain();
  await bench.settle();
  bench.news();
  await bench.receive(HERE);
  t.same(bench.news(), []);
  await bench.receive(ping(ACK, '\0\0\0\0\0\0\0\0'));
  t.same(bench.news(), ['GOAWAY 1 0']);
});
