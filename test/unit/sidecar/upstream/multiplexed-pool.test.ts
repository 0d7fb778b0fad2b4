import t from 'tap';
import type { CircuitBreakerView } from '../../../../api/snapshot.ts';
import { type Clock, manualClock } from '../../../../common/clock.ts';
import { NO_FIELDS } from '../../../../sidecar/protocol/head.ts';
import { FRAME } from '../../../../sidecar/protocol/http2/frames.ts';
import { BlockPool } from '../../../../sidecar/protocol/outbox.ts';
import { CircuitBreaker } from '../../../../sidecar/resilience/circuit-breaker.ts';
import { MultiplexedPool } from '../../../../sidecar/upstream/multiplexed-pool.ts';
import { requestHead } from '../exchange.fixture.ts';
import { account, FakeAttempt, limits, manualDial, turns } from './pools.fixture.ts';

/** HTTP/2 frames as a server writes them. */
const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const settings = (maxStreams = 100): Buffer => frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, maxStreams]));
/** `:status: 204`, and the end. */
const answer204 = (stream: number): Buffer => frame(1, 5, stream, Buffer.from([0x89]));
const goaway = (last: number): Buffer => frame(7, 0, 0, Buffer.from([0, 0, 0, last, 0, 0, 0, 0]));

const start = (changes: Partial<CircuitBreakerView> = {}, link = false, worker = { number: 0, count: 1 }) => {
  const clock = manualClock();
  const dials = manualDial();
  const breaker = new CircuitBreaker(limits(changes));
  const http2 = {
    account: account(),
    blocks: new BlockPool(),
    clock,
    maxConcurrentStreams: 100,
    link,
    hello: Buffer.alloc(0),
  };
  const pool = new MultiplexedPool({
    dial: dials.dial,
    breaker,
    clock,
    random: () => 0.5,
    http2,
    worker,
  });
  const send = (): FakeAttempt => {
    const attempt = new FakeAttempt();
    pool.send(attempt, requestHead(), NO_FIELDS);
    return attempt;
  };
  const counts = () => ({ connections: breaker.count('connections'), pending: breaker.count('pending_requests') });
  return { clock, dials, pool, send, counts };
};

t.test('many requests wait for one dial and share its connection', t => {
  const { dials, send, counts, pool } = start();
  const attempts = [send(), send(), send()];
  t.equal(dials.made, 1);
  t.same(counts(), { connections: 1, pending: 3 });
  dials.connect().answer(settings());
  for (const attempt of attempts) t.same(attempt.said, ['forwarded']);
  t.same(send().said, ['forwarded']);
  t.equal(pool.connections, 1);
  t.same(counts(), { connections: 1, pending: 0 });
  t.end();
});

t.test(
  'a server is sent one request until it has said how many it takes, and no further connection is made meanwhile',
  t => {
    const { dials, send, counts } = start();
    const attempts = [send(), send(), send()];
    const said = () => attempts.flatMap(attempt => attempt.said);
    const socket = dials.connect();
    t.same(said(), ['forwarded']);
    t.equal(dials.made, 1);
    t.same(counts(), { connections: 1, pending: 2 });
    socket.answer(settings(2));
    t.same(said(), ['forwarded', 'forwarded']);
    t.equal(dials.made, 2, 'now it is known that there is no room');
    dials.connect();
    t.same(said(), ['forwarded', 'forwarded', 'forwarded']);
    t.end();
  },
);

t.test('another sidecar takes many at once', t => {
  const { dials, send } = start({}, true);
  const attempts = [send(), send(), send()];
  dials.connect();
  for (const attempt of attempts) t.same(attempt.said, ['forwarded']);
  t.end();
});

t.test('a dial that fails answers everyone in line, and the next request dials again', t => {
  const { dials, send, counts } = start();
  const attempts = [send(), send()];
  dials.fail();
  for (const attempt of attempts) t.same(attempt.said, ['failed CONNECT_FAILED connection_refused']);
  t.same(counts(), { connections: 0, pending: 0 });
  send();
  t.equal(dials.made, 2);
  t.end();
});

t.test('the line is bounded, and who leaves it makes room', t => {
  const { send, pool, dials } = start({ maxPendingRequests: 1 });
  const first = send();
  t.same(send().said, ['failed OVERFLOW pending_requests']);
  pool.forget(first);
  const third = send();
  dials.connect();
  t.same(first.said, []);
  t.same(third.said, ['forwarded']);
  t.end();
});

t.test('a full connection gets a second one beside it, and its room is used again', t => {
  const { send, dials } = start();
  send();
  const socket = dials.connect();
  socket.answer(settings(2));
  send();
  const third = send();
  t.same(third.said, []);
  t.equal(dials.made, 2);
  socket.answer(answer204(1));
  t.same(third.said, ['forwarded'], 'whichever is first');
  t.end();
});

t.test('there are never more than four connections, or as many as the circuit breaker allows', t => {
  for (const [maxConnections, most] of [
    [10, 4],
    [2, 2],
    [0, 1],
  ] as const) {
    const { send, dials, counts } = start({ maxConnections });
    for (let i = 0; i < 8; i++) {
      send();
      while (dials.pending > 0) dials.connect().answer(settings(1));
    }
    t.equal(dials.made, most, `${maxConnections} allowed`);
    t.equal(counts().connections, most);
  }
  t.end();
});

t.test('a connection that is stuck is passed over as soon as there is another', async t => {
  const { send, dials, pool } = start();
  send();
  const stuck = dials.connect();
  stuck.answer(settings());
  await turns();
  stuck._write = () => {};
  stuck.write(Buffer.alloc(300_000));
  t.same(send().said, ['forwarded'], 'while it is the only one it is used');
  t.equal(dials.pending, 1);
  const other = dials.connect();
  await turns();
  other.written = '';
  send();
  await turns();
  t.ok(other.written.length > 0);
  pool.close();
});

t.test('after a GOAWAY new requests get a new connection, and the refused ones may be repeated', t => {
  const { send, dials, pool } = start();
  const [one, two] = [send(), send()];
  const socket = dials.connect();
  socket.answer(settings());
  socket.answer(goaway(1));
  t.same(two.said, ['forwarded', 'reset REFUSED goaway']);
  t.same(one.said, ['forwarded']);
  const three = send();
  t.same(three.said, []);
  t.equal(dials.made, 2);
  socket.answer(answer204(1));
  t.same(one.said, ['forwarded', 'head 204 end'], 'what was accepted ends as it should');
  dials.connect();
  t.same(three.said, ['forwarded']);
  t.equal(pool.connections, 1);
  t.end();
});

t.test('a connection is replaced after an hour: the new one first, then the old one drains', t => {
  const { clock, send, dials, pool } = start();
  const one = send();
  const old = dials.connect();
  old.answer(settings());
  clock.advance(3_600_000);
  t.equal(dials.pending, 1);
  t.same(send().said, ['forwarded'], 'until then the old one is used');
  const fresh = dials.connect();
  fresh.answer(settings());
  t.equal(pool.connections, 2);
  send();
  old.answer(answer204(1));
  old.answer(answer204(3));
  t.same(one.said, ['forwarded', 'head 204 end']);
  t.equal(pool.connections, 1);
  t.end();
});

t.test('a replacement that fails is tried again, and nothing is lost meanwhile', t => {
  const { clock, send, dials } = start();
  send();
  dials.connect().answer(settings());
  clock.advance(3_600_000);
  dials.fail();
  t.same(send().said, ['forwarded']);
  t.equal(dials.pending, 0);
  clock.advance(5_000);
  t.equal(dials.pending, 1);
  t.end();
});

/** Certificates that hold so long from now. */
const holding = (clock: Clock, leftMs: number) => ({ notAfterMs: clock.wallMs() + leftMs, bundleVersion: 'one' });

t.test('a link is replaced when a tenth of its certificates is left, of those that hold seconds sooner', t => {
  for (const [leftMs, replacedAtMs] of [
    [1_800_000, 1_620_000],
    [60_000, 54_000],
    [27_000, 22_000],
    [6_000, 1_500],
    [2_400, 600],
  ] as const) {
    const { clock, send, dials, pool } = start();
    send();
    const old = dials.connect(holding(clock, leftMs));
    old.answer(settings());
    old.answer(answer204(1));
    clock.advance(replacedAtMs - 1);
    t.equal(dials.pending, 0, `${leftMs} ms left: not before its time`);
    clock.advance(1);
    t.equal(dials.pending, 1);
    dials.connect(holding(clock, leftMs)).answer(settings());
    t.equal(pool.connections, 1, 'nothing was open on the old one: it is closed');
    pool.close();
  }
  t.end();
});

t.test('streams that are open end as they should while the certificates hold, and are reset with their end', t => {
  const { clock, send, dials, pool, counts } = start();
  const [one, two] = [send(), send()];
  const old = dials.connect(holding(clock, 60_000));
  old.answer(settings());
  clock.advance(54_000);
  dials.connect(holding(clock, 60_000)).answer(settings());
  t.equal(pool.connections, 2);
  clock.advance(5_999);
  old.answer(answer204(1));
  t.same(one.said, ['forwarded', 'head 204 end']);
  t.same(two.said, ['forwarded']);
  clock.advance(1);
  t.same(two.said, ['forwarded', 'reset UPSTREAM_CLOSED certificate_expired']);
  t.equal(pool.connections, 1);
  t.equal(counts().connections, 1);
  t.same(send().said, ['forwarded'], 'on the new one');
  t.end();
});

t.test('of an hour of renewals that each leave a stream behind, no connection is older than its certificate', t => {
  const { clock, send, dials, pool } = start();
  let most = 0;
  for (let ms = 0; ms < 3_600_000; ms += 500) {
    send();
    while (dials.pending > 0) dials.connect(holding(clock, 6_000)).answer(settings());
    most = Math.max(most, pool.connections);
    clock.advance(500);
  }
  // Each takes requests for a quarter of the 6 s.
  t.equal(most, 4, 'one that takes requests, three that drain');
  t.end();
});

t.test('while no replacement can be had the old link is used to its end, and dialled again several times before', t => {
  const { clock, send, dials, pool } = start();
  send();
  dials.connect(holding(clock, 6_000)).answer(settings());
  clock.advance(5_000);
  let failed = 0;
  for (let ms = 0; ms < 999; ms++) {
    while (dials.pending > 0) {
      dials.fail();
      failed++;
    }
    if (ms % 100 === 0) t.same(send().said, ['forwarded']);
    clock.advance(1);
  }
  t.ok(failed >= 3 && failed <= 5, `${failed} dials in the last second`);
  clock.advance(1);
  t.equal(pool.connections, 0);
  t.equal(send().upstream, undefined, 'from then on requests wait for a new one');
  t.equal(dials.pending, 1);
  t.end();
});

t.test('a link is replaced also when there are as many as there may be', t => {
  for (const maxConnections of [10, 2]) {
    const { clock, send, dials, pool } = start({ maxConnections });
    for (let i = 0; i < 8; i++) {
      send();
      // The first one ends before the others.
      while (dials.pending > 0)
        dials.connect(holding(clock, pool.connections === 0 ? 6_000 : 60_000)).answer(settings(1));
    }
    const full = pool.connections;
    clock.advance(5_000);
    t.equal(dials.pending, 1, `${full} open, and one more to replace the first`);
    dials.connect(holding(clock, 60_000)).answer(settings(1));
    t.equal(pool.connections, full + 1, 'the first one drains');
    clock.advance(1_000);
    t.equal(pool.connections, full);
    pool.close();
  }
  t.end();
});

t.test('certificates that nobody renews do not make us dial all the time', t => {
  const { clock, send, dials } = start();
  const end = { notAfterMs: clock.wallMs() + 86_400_000, bundleVersion: 'one' };
  send();
  for (let second = 0; second < 86_399; second++) {
    while (dials.pending > 0) dials.connect(end).answer(settings());
    clock.advance(1_000);
  }
  // One an hour for most of the day, then after nine tenths of what is left.
  t.ok(dials.made <= 35, `${dials.made} dials in a day`);
  t.end();
});

t.test(
  'the peer must prove again who it is: open links take nothing new, and what is under way ends as it should',
  t => {
    const { clock, send, dials, pool } = start();
    const one = send();
    const old = dials.connect(holding(clock, 60_000));
    old.answer(settings());
    pool.renew();
    const two = send();
    t.same(two.said, []);
    t.equal(dials.pending, 1);
    old.answer(answer204(1));
    t.same(one.said, ['forwarded', 'head 204 end']);
    dials.connect(holding(clock, 60_000));
    t.same(two.said, ['forwarded']);
    t.equal(pool.connections, 1);
    t.end();
  },
);

t.test('a pool that drains fails who waits and lets open streams end', t => {
  const { send, dials, pool, counts, clock } = start();
  const open = send();
  const socket = dials.connect();
  socket.answer(settings(1));
  const waiting = send();
  pool.drain();
  t.same(waiting.said, ['failed CONNECT_FAILED endpoint_gone']);
  t.equal(dials.cancelled, 1);
  socket.answer(answer204(1));
  t.same(open.said, ['forwarded', 'head 204 end']);
  t.same(counts(), { connections: 0, pending: 0 });
  clock.advance(1_000);
  t.equal(clock.pending, 0, 'no timer is left');
  t.end();
});

t.test('a pool that closes ends its streams', t => {
  const { send, dials, pool, counts } = start();
  const open = send();
  dials.connect();
  pool.close();
  t.match(open.said[1], /^reset UPSTREAM_CLOSED/);
  t.same(counts(), { connections: 0, pending: 0 });
  t.end();
});

/** What a peer's sidecar says first: which of its workers this connection has met. */
const peerFrame = (worker: number, workers: number): Buffer =>
  frame(FRAME.PEER, 0, 0, Buffer.from(JSON.stringify({ service: 'web', namespace: 'shop', worker, workers })));

t.test('a peer with two workers gets a connection to each, and the requests go to both', async t => {
  const { dials, pool, send, clock, counts } = start({}, true);
  send();
  dials.connect().answer(Buffer.concat([settings(), peerFrame(0, 2)]));
  t.equal(dials.made, 1, 'there is a pause first');
  clock.advance(20);
  t.equal(dials.made, 2);
  const same = dials.connect();
  same.answer(Buffer.concat([settings(), peerFrame(0, 2)]));
  t.ok(same.writableEnded, 'one more to the same worker is of no use');
  same.destroy();
  clock.advance(40);
  const second = dials.connect();
  await turns();
  const before = second.written.length;
  for (let i = 0; i < 2; i++) send();
  await turns();
  t.equal(second.written.length, before, 'it takes nothing until it is known where it leads');
  second.answer(Buffer.concat([settings(), peerFrame(1, 2)]));
  clock.advance(10_000);
  t.equal(dials.made, 3, 'nothing is missing any more');
  const seen = second.written.length;
  for (let i = 0; i < 4; i++) send();
  await turns();
  t.ok(second.written.length > seen, 'the one with the fewest requests takes the next');
  pool.drain();
  t.same(counts().pending, 0);
});

t.test('of two workers each keeps the connection to the worker of the same number', t => {
  const { dials, send, clock, pool } = start({}, true, { number: 1, count: 2 });
  send();
  const first = dials.connect();
  first.answer(Buffer.concat([settings(), answer204(1), peerFrame(0, 2)]));
  clock.advance(20);
  t.notOk(first.writableEnded, 'what there is serves until there is better');
  dials.connect().answer(Buffer.concat([settings(), peerFrame(1, 2)]));
  t.ok(first.writableEnded);
  first.destroy();
  t.equal(pool.connections, 1);
  clock.advance(10_000);
  t.equal(dials.made, 2);
  t.end();
});

t.test(
  'a worker that cannot be reached is given up after sixteen tries, and tried again with the next connection',
  t => {
    const { dials, send, clock, counts, pool } = start({}, true);
    send();
    const first = dials.connect();
    first.answer(Buffer.concat([settings(), peerFrame(0, 2)]));
    for (let i = 0; i < 20; i++) {
      clock.advance(320);
      dials.fail();
    }
    t.equal(dials.made, 17);
    t.same(counts(), { connections: 1, pending: 0 });
    pool.renew();
    first.destroy();
    send();
    dials.connect().answer(Buffer.concat([settings(), peerFrame(0, 2)]));
    clock.advance(20);
    t.equal(dials.made, 19);
    pool.close();
    t.equal(dials.cancelled, 1);
    t.equal(counts().connections, 0);
    t.end();
  },
);

t.test('a connection that never says where it leads is given up', t => {
  const { dials, send, clock, pool } = start({}, true);
  send();
  dials.connect().answer(Buffer.concat([settings(), peerFrame(0, 2)]));
  clock.advance(20);
  const silent = dials.connect();
  t.equal(pool.connections, 2);
  clock.advance(1_000);
  t.ok(silent.writableEnded);
  t.end();
});

t.test('the limit of connections keeps from reaching more workers', t => {
  const { dials, send, clock } = start({ maxConnections: 1 }, true);
  send();
  dials.connect().answer(Buffer.concat([settings(), peerFrame(0, 2)]));
  clock.advance(10_000);
  t.equal(dials.made, 1);
  t.end();
});
