import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { NO_FIELDS } from '../../../../sidecar/protocol/head.ts';
import { Http1ClientConnection } from '../../../../sidecar/protocol/http1/forward.ts';
import { Http1ResponseHeads } from '../../../../sidecar/protocol/http1/response-heads.ts';
import { CircuitBreaker } from '../../../../sidecar/resilience/circuit-breaker.ts';
import { LearnedIdleTime } from '../../../../sidecar/upstream/learned-idle-time.ts';
import { SerialPool } from '../../../../sidecar/upstream/serial-pool.ts';
import { requestHead } from '../exchange.fixture.ts';
import { account, FakeAttempt, type FakeSocket, limits, manualDial, turns } from './pools.fixture.ts';

const OK = 'HTTP/1.1 204 No Content\r\n\r\n';
const GET = requestHead();
const POST = requestHead('POST');

const start = (changes: Parameters<typeof limits>[0] = {}) => {
  const clock = manualClock();
  const dials = manualDial();
  const breaker = new CircuitBreaker(limits(changes));
  const http1 = { heads: new Http1ResponseHeads(), account: account() };
  const pool = new SerialPool({
    dial: dials.dial,
    breaker,
    clock,
    connect: (socket, events) => new Http1ClientConnection(socket, { ...http1, ...events }),
  });
  const send = (head = GET, fresh = false): FakeAttempt => {
    const attempt = new FakeAttempt(fresh);
    pool.send(attempt, head, NO_FIELDS);
    return attempt;
  };
  const counts = () => ({ connections: breaker.count('connections'), pending: breaker.count('pending_requests') });
  /** An idle connection. */
  const warm = (): FakeSocket => {
    send();
    const socket = dials.connect();
    socket.answer(OK);
    return socket;
  };
  return { clock, dials, breaker, pool, send, counts, warm };
};

t.test('a request waits for its connection, and the next one uses it again', t => {
  const { dials, pool, send, counts } = start();
  const first = send();
  t.same(counts(), { connections: 1, pending: 1 });
  const socket = dials.connect();
  t.same(first.said, ['forwarded']);
  t.equal(first.used, false);
  t.same(counts(), { connections: 1, pending: 0 });
  socket.answer(OK);
  t.same(first.said, ['forwarded', 'head 204 end']);
  const second = send();
  t.equal(second.used, true);
  t.equal(dials.made, 1);
  t.equal(pool.connections, 1);
  t.end();
});

t.test('the connection that was used last is used next', async t => {
  const { send, dials } = start();
  send();
  send();
  const [one, two] = [dials.connect(), dials.connect()];
  await turns();
  one.answer(OK);
  two.answer(OK);
  one.written = two.written = '';
  send();
  await turns();
  t.equal(one.written, '');
  t.match(two.written, /^GET/);
});

t.test('each request in flight has a connection of its own, up to the limit, and the rest wait in line', t => {
  const { send, dials, counts } = start({ maxConnections: 2, maxPendingRequests: 2 });
  const attempts = [send(), send()];
  const sockets = [dials.connect(), dials.connect()];
  const third = send();
  send();
  t.same(send().said, ['failed OVERFLOW pending_requests']);
  t.same(counts(), { connections: 2, pending: 2 });
  t.equal(dials.made, 2);
  sockets[1]?.answer(OK);
  t.same(third.said, ['forwarded']);
  t.same(attempts[0]?.said, ['forwarded']);
  t.end();
});

t.test('a failed dial answers one, and those behind it are dialled for', t => {
  const { send, dials, counts } = start({ maxConnections: 1 });
  const [one, two] = [send(), send()];
  t.equal(dials.made, 1);
  dials.fail();
  t.same(one.said, ['failed CONNECT_FAILED connection_refused']);
  t.same(two.said, []);
  t.equal(dials.made, 2, 'nobody waits for ever');
  dials.connect();
  t.same(two.said, ['forwarded']);
  t.same(counts(), { connections: 1, pending: 0 });
  t.end();
});

t.test('who no longer waits leaves the line, and the connection is there for others', t => {
  const { pool, send, dials, counts } = start();
  const one = send();
  pool.forget(one);
  pool.forget(one);
  t.same(counts(), { connections: 1, pending: 0 });
  dials.connect();
  t.same(one.said, []);
  t.equal(send().used, true);
  t.end();
});

t.test('a destination at its limit of connections still has one to each address', t => {
  const { breaker, send, dials } = start({ maxConnections: 1 });
  breaker.force('connections');
  send();
  t.equal(dials.made, 1);
  send();
  t.equal(dials.made, 1);
  t.end();
});

t.test('a second attempt goes out on a connection that was never used', t => {
  const { warm, send, dials } = start();
  const idle = warm();
  idle.written = '';
  const attempt = send(GET, true);
  t.same(attempt.said, []);
  t.equal(dials.made, 2);
  dials.connect();
  t.equal(attempt.used, false);
  t.equal(idle.written, '');
  t.end();
});

t.test('who wants a fresh connection lets others have the used ones', t => {
  const { send, dials } = start({ maxConnections: 1 });
  send();
  const socket = dials.connect();
  const fresh = send(GET, true);
  const other = send();
  socket.answer(OK);
  t.equal(other.used, true);
  t.same(fresh.said, []);
  socket.answer(OK);
  t.ok(socket.destroyed, 'at the limit an idle one makes room');
  t.equal(dials.made, 2);
  dials.connect();
  t.equal(fresh.used, false);
  t.end();
});

t.test('a connection that the server closes is not used, and teaches how long is safe', async t => {
  const { clock, warm, send, dials, counts } = start();
  const first = warm();
  clock.advance(2_000);
  first.emit('end');
  t.same(counts(), { connections: 0, pending: 0 });
  const second = warm();
  clock.advance(1_599);
  t.equal(send().used, true, 'well before that time it is used');
  second.answer(OK);
  clock.advance(1_601);
  const attempt = send();
  t.same(attempt.said, []);
  t.ok(second.destroyed, 'afterwards it is not');
  dials.connect();
  t.equal(attempt.used, false);
});

t.test('a POST looks whether the server has closed an idle connection', async t => {
  const closed = start();
  const socket = closed.warm();
  closed.clock.advance(101);
  socket.written = '';
  const post = closed.send(POST);
  t.same(post.said, []);
  socket.emit('end');
  await turns();
  t.equal(socket.written, '', 'nothing was written after the FIN');
  t.equal(closed.dials.pending, 1);
  closed.dials.connect();
  t.equal(post.used, false);

  const alive = start();
  alive.warm();
  alive.clock.advance(101);
  const [one, two] = [alive.send(POST), alive.send(POST)];
  await turns();
  t.equal(one.used, true, 'one that is alive is used');
  t.same(two.said, []);
  t.equal(alive.dials.pending, 1, 'and the next gets another');

  const busy = start();
  busy.warm();
  busy.clock.advance(100);
  t.equal(busy.send(POST).used, true, 'one that was used a moment ago is not looked at');
});

t.test('a pool that drains fails who waits, closes what is idle and lets the rest end', t => {
  const { pool, send, dials, counts } = start();
  const busy = send();
  const socket = dials.connect();
  send();
  const idle = dials.connect();
  idle.answer(OK);
  const waiting = send(GET, true);
  pool.drain();
  t.same(waiting.said, ['failed CONNECT_FAILED endpoint_gone']);
  t.equal(dials.cancelled, 1);
  t.ok(idle.destroyed);
  t.notOk(socket.destroyed);
  socket.answer(OK);
  t.same(busy.said, ['forwarded', 'head 204 end']);
  t.ok(socket.destroyed);
  t.same(counts(), { connections: 0, pending: 0 });
  t.equal(pool.connections, 0);
  t.end();
});

t.test('a pool that closes ends everything', t => {
  const { pool, send, dials, counts } = start();
  const busy = send();
  const socket = dials.connect();
  pool.close();
  t.ok(socket.destroyed);
  t.same(busy.said, ['forwarded', 'reset UPSTREAM_CLOSED connection_closed']);
  t.same(counts(), { connections: 0, pending: 0 });
  t.end();
});

t.test('what was learned of idle times is forgotten after five to ten minutes', t => {
  const clock = manualClock();
  const idle = new LearnedIdleTime(clock);
  t.equal(idle.safeMs, Number.POSITIVE_INFINITY);
  idle.closedAfter(5_000);
  idle.closedAfter(1_000);
  idle.closedAfter(3_000);
  t.equal(idle.safeMs, 800, 'the shortest counts');
  clock.advance(300_000);
  t.equal(idle.safeMs, 800);
  idle.closedAfter(60_000);
  clock.advance(300_000);
  t.equal(idle.safeMs, 48_000);
  clock.advance(600_000);
  t.equal(idle.safeMs, Number.POSITIVE_INFINITY);
  t.end();
});
