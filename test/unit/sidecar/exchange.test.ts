import t from 'tap';
import { proxyError } from '../../../sidecar/errors/proxy-error.ts';
import { REPLAY_BYTES } from '../../../sidecar/exchange.ts';
import { NO_FIELDS } from '../../../sidecar/protocol/head.ts';
import { createWorld, FakeUpstream, NO_LEAKS, requestHead, responseHead } from './exchange.fixture.ts';

const GONE = proxyError('DOWNSTREAM_RESET', 'connection_lost');
const RESET = proxyError('UPSTREAM_RESET', 'stream_reset');
const CLOSED = proxyError('UPSTREAM_CLOSED', 'connection_closed');
const NOT_SENT = proxyError('CONNECT_FAILED', 'connection_refused');
const REFUSED = proxyError('REFUSED', 'goaway');
const post = requestHead('POST');
const bytes = (size: number): Buffer => Buffer.alloc(size, 'x');

t.test('a request and its answer pass through, and every step ends in reverse order', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request();
  const upstream = world.transport.connect();
  t.same(upstream.said, [], 'the head was all there is');
  exchange.informational(responseHead(103));
  exchange.responseHead(responseHead(200), NO_FIELDS, false);
  exchange.responseData(Buffer.from('hello'), false);
  exchange.responseConsumed(5);
  t.equal(upstream.consumed, 5);
  exchange.responseData(Buffer.from(' you'), true);
  t.same(downstream.said, ['informational 103', 'head 200', 'data 5', 'data 4 end']);
  t.equal(exchange.responseBytes, 9);
  t.same(world.trace, ['begin once', 'begin attempt', 'end attempt', 'end once']);
  t.same(world.ended, ['200 - - - -']);
  t.same(world.leaks(), NO_LEAKS);
  t.notOk(upstream.closed, 'nobody resets what is over');
  t.end();
});

t.test('the body goes out as it comes, with what came before there was a connection first', t => {
  const world = createWorld();
  const { exchange } = world.request(post, false);
  exchange.requestData(Buffer.from('one '), false);
  exchange.requestData(Buffer.from('two '), false);
  const upstream = world.transport.connect();
  exchange.requestData(Buffer.from('three'), false);
  exchange.requestTrailers(['x-sum', '3']);
  t.equal(upstream.body, 'one two three');
  t.same(upstream.said, ['data 4', 'data 4', 'data 5', 'trailers']);
  exchange.responseHead(responseHead(200), NO_FIELDS, false);
  t.equal(world.account.buffered, 0, 'what was kept is let go when the answer begins');
  exchange.responseTrailers(['grpc-status', '0']);
  t.same(world.ended, ['200 - - 0 -']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a whole body with trailers that came before the connection is sent with them', t => {
  const world = createWorld();
  const { exchange } = world.request(post, false);
  exchange.requestData(Buffer.from('all'), false);
  exchange.requestTrailers(['x', 'y']);
  t.notOk(exchange.headOnly);
  t.same(world.transport.connect().said, ['data 3', 'trailers']);
  t.end();
});

t.test('an empty body that ends late makes a head that is all there is', t => {
  const world = createWorld();
  const { exchange } = world.request(post, false);
  t.notOk(exchange.headOnly);
  exchange.requestData(bytes(0), true);
  t.ok(exchange.headOnly);
  t.end();
});

t.test('credit is given once for each byte, however often it is sent', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request(post, false);
  exchange.requestData(bytes(1_000), false);
  world.transport.connect();
  exchange.requestConsumed(600);
  t.equal(downstream.consumed, 600);
  exchange.responseReset(NOT_SENT);
  world.clock.advance(0);
  const second = world.transport.connect();
  t.equal(second.body.length, 1_000, 'the second attempt gets the body from its beginning');
  exchange.requestConsumed(500);
  t.equal(downstream.consumed, 600);
  exchange.requestConsumed(500);
  t.equal(downstream.consumed, 1_000);
  exchange.requestData(bytes(10), true);
  exchange.responseHead(responseHead(200), NO_FIELDS, true);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a body larger than the replay buffer is not repeated', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request(post, false);
  world.transport.connect();
  exchange.requestData(bytes(REPLAY_BYTES), false);
  t.equal(world.account.buffered, REPLAY_BYTES);
  exchange.requestData(bytes(1), false);
  t.equal(world.account.buffered, 0, 'and is not kept');
  exchange.responseReset(REFUSED);
  t.same(downstream.said[0], 'head 503');
  t.same(world.retries, []);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('an attempt that fails while its head is written does not take the body along', t => {
  const world = createWorld();
  const { exchange } = world.request(post, false);
  exchange.requestData(Buffer.from('begin '), false);
  const dead = new FakeUpstream();
  // A connection that was just closed: the codec says so before it gives its stream.
  exchange.responseReset(NOT_SENT);
  exchange.forwardTo(dead, true);
  t.ok(dead.closed);
  exchange.requestData(bytes(REPLAY_BYTES), false);
  world.clock.advance(0);
  const second = world.transport.connect();
  t.equal(second.body, `begin ${'x'.repeat(REPLAY_BYTES)}`, 'nothing is missing in the second attempt');
  t.end();
});

t.test('a caller that goes away ends everything, at each moment', t => {
  const moments = {
    'while it waits for a connection': () => {},
    'while the request is sent': world => world.transport.connect(),
    'while the answer comes': (world, exchange) => {
      world.transport.connect();
      exchange.responseHead(responseHead(200), NO_FIELDS, false);
      exchange.responseData(bytes(10), false);
    },
    'while a retry waits': (world, exchange) => {
      world.transport.connect();
      exchange.responseReset(NOT_SENT);
    },
  } satisfies Record<
    string,
    (
      world: ReturnType<typeof createWorld>,
      exchange: ReturnType<ReturnType<typeof createWorld>['request']>['exchange'],
    ) => unknown
  >;
  for (const [moment, prepare] of Object.entries(moments)) {
    const world = createWorld();
    const { exchange, downstream } = world.request(post, false);
    exchange.requestData(bytes(100), false);
    prepare(world, exchange);
    const upstream = world.transport.upstreams.at(-1);
    exchange.requestReset(GONE);
    t.ok(exchange.done, moment);
    if (upstream !== undefined) t.ok(upstream.closed, `${moment}: the instance is told`);
    t.match(world.ended.at(-1), /DOWNSTREAM_RESET connection_lost/);
    t.same(world.leaks(), NO_LEAKS, moment);
    const said = downstream.said.length;
    world.clock.advance(60_000);
    exchange.responseHead(responseHead(200), NO_FIELDS, true);
    exchange.responseReset(RESET);
    t.equal(downstream.said.length, said, 'nothing is said afterwards');
    t.equal(world.transport.sent.length, 1, 'and nothing is tried again');
    t.equal(world.ended.length, 1);
  }
  t.end();
});

t.test('what comes after the end is only accounted for', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request(post, false);
  const upstream = world.transport.connect();
  exchange.requestReset(GONE);
  exchange.requestData(bytes(10), true);
  t.equal(downstream.consumed, 10);
  exchange.responseData(bytes(7), false);
  t.equal(upstream.consumed, 7);
  exchange.requestTrailers(NO_FIELDS);
  exchange.responseTrailers(NO_FIELDS);
  exchange.informational(responseHead(103));
  exchange.attemptFailed(RESET);
  exchange.fail(RESET);
  exchange.tryAgain();
  t.same(downstream.said, []);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('an answer that is complete before its request ends the request', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request(post, false);
  const upstream = world.transport.connect();
  exchange.requestData(bytes(10), false);
  exchange.responseHead(responseHead(413), NO_FIELDS, false);
  exchange.responseData(bytes(5), true);
  t.same(downstream.said, ['head 413', 'data 5 end']);
  t.same(upstream.said, ['data 10', 'reset abandoned']);
  t.equal(downstream.consumed, 10, 'what the upstream had not passed on');
  exchange.requestData(bytes(10), true);
  t.equal(downstream.consumed, 20);
  exchange.requestConsumed(10);
  t.equal(downstream.consumed, 20, 'nothing twice');
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('what fails when the time is up failed because of that, although the timer is late', t => {
  const world = createWorld({ requestTimeoutMs: 1_000 });
  world.clock.setTimer(1_000, () => world.transport.sent[0]?.attempt.responseReset(RESET));
  const { downstream } = world.request();
  world.transport.connect();
  world.clock.advance(1_000);
  t.same(world.ended, ['504 DEADLINE_EXCEEDED request_timeout - -']);
  t.equal(downstream.head?.status, 504);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('an answer may come while the request is sent', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request(post, false);
  exchange.requestData(bytes(10), false);
  exchange.requestData(bytes(10), true);
  // Inside `request()`, before the codec has given its stream.
  exchange.responseHead(responseHead(200), NO_FIELDS, true);
  const late = new FakeUpstream();
  exchange.forwardTo(late, false);
  t.ok(late.closed);
  t.same(downstream.said, ['head 200 end']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('an answer that breaks off is a reset, and never tried again', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request();
  world.transport.connect();
  exchange.responseHead(responseHead(200), NO_FIELDS, false);
  exchange.responseData(bytes(5), false);
  exchange.responseReset(CLOSED);
  t.same(downstream.said, ['head 200', 'data 5', 'reset UPSTREAM_CLOSED']);
  t.same(world.ended, ['200 UPSTREAM_CLOSED connection_closed - -']);
  t.same(world.retries, []);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a tunnel ends when both directions have', t => {
  for (const [head, status] of [
    [requestHead('CONNECT'), 200],
    [requestHead('GET', NO_FIELDS, 'websocket'), 101],
  ] as const) {
    const callerFirst = createWorld();
    const one = callerFirst.request(head, false);
    const upstream = callerFirst.transport.connect();
    one.exchange.responseHead(responseHead(status), NO_FIELDS, false);
    one.exchange.requestData(bytes(1), true);
    t.notOk(one.exchange.done, 'the answer may go on');
    one.exchange.responseData(bytes(2), true);
    t.ok(one.exchange.done);
    t.same(upstream.said, ['data 1 end']);
    t.same(callerFirst.leaks(), NO_LEAKS);

    const serverFirst = createWorld();
    const two = serverFirst.request(head, false);
    const other = serverFirst.transport.connect();
    two.exchange.responseHead(responseHead(status), NO_FIELDS, false);
    two.exchange.responseData(bytes(2), true);
    t.notOk(two.exchange.done, 'the request may go on');
    two.exchange.requestData(bytes(1), false);
    two.exchange.requestData(bytes(1), true);
    t.ok(two.exchange.done);
    t.same(other.said, ['data 1', 'data 1 end']);
    t.same(serverFirst.leaks(), NO_LEAKS);
  }
  t.end();
});

t.test('trailers end the request of a tunnel too', t => {
  const world = createWorld();
  const { exchange } = world.request(requestHead('CONNECT'), false);
  world.transport.connect();
  exchange.responseHead(responseHead(200), NO_FIELDS, false);
  exchange.responseData(bytes(0), true);
  exchange.requestTrailers(NO_FIELDS);
  t.ok(exchange.done);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a tunnel that was refused is an ordinary answer', t => {
  const world = createWorld();
  const { exchange } = world.request(requestHead('GET', NO_FIELDS, 'websocket'), false);
  const upstream = world.transport.connect();
  exchange.responseHead(responseHead(400), NO_FIELDS, true);
  t.ok(exchange.done);
  t.ok(upstream.closed);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('the deadline ends an exchange in each of its states', t => {
  const states = {
    waiting: 'head 504',
    sending: 'head 504',
    answering: 'reset DEADLINE_EXCEEDED',
    retrying: 'head 504',
  } as const;
  for (const [state, last] of Object.entries(states)) {
    const world = createWorld({ requestTimeoutMs: 100 });
    const { exchange, downstream } = world.request(post, false);
    exchange.requestData(bytes(10), false);
    if (state !== 'waiting') world.transport.connect();
    if (state === 'answering') exchange.responseHead(responseHead(200), NO_FIELDS, false);
    world.clock.advance(99);
    t.notOk(exchange.done, state);
    if (state === 'retrying') exchange.responseReset(NOT_SENT);
    world.clock.advance(1);
    t.ok(downstream.said.includes(last), `${state}: ${downstream.said.join()}`);
    for (const upstream of world.transport.upstreams.slice(-1)) if (state !== 'retrying') t.ok(upstream.closed);
    t.same(world.leaks(), NO_LEAKS, state);
    t.match(world.ended.at(-1), /DEADLINE_EXCEEDED request_timeout/);
  }
  t.end();
});

t.test('a gRPC call that has begun to answer ends with a status when its time is up', t => {
  const call = requestHead('POST', ['content-type', 'application/grpc']);
  const begin = () => {
    const world = createWorld({ requestTimeoutMs: 100 });
    const { exchange, downstream } = world.request(call, false);
    const upstream = world.transport.connect();
    exchange.responseHead(responseHead(200), NO_FIELDS, false);
    exchange.responseData(bytes(10), false);
    return { world, exchange, downstream, upstream };
  };
  const read = begin();
  read.exchange.responseConsumed(10);
  read.world.clock.advance(100);
  t.same(read.downstream.said, ['head 200', 'data 10', 'trailers']);
  t.same(read.downstream.trailers.slice(0, 3), ['grpc-status', '4', 'grpc-message']);
  t.same(read.world.ended, ['200 DEADLINE_EXCEEDED request_timeout 4 -']);
  t.ok(read.upstream.closed);
  t.same(read.world.leaks(), NO_LEAKS);

  const unread = begin();
  unread.world.clock.advance(100);
  t.same(
    unread.downstream.said,
    ['head 200', 'data 10', 'reset DEADLINE_EXCEEDED'],
    'nothing waits behind bytes that nobody reads',
  );

  const broken = begin();
  broken.exchange.responseConsumed(10);
  broken.exchange.responseReset(RESET);
  t.same(broken.downstream.said, ['head 200', 'data 10', `reset ${RESET.code}`], 'other errors are resets');
  t.end();
});

t.test('a retry gets another instance, and the answer of the second attempt is the answer', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request();
  const first = exchange.endpoint;
  world.transport.connect();
  exchange.responseReset(RESET);
  t.same(world.retries, ['reset']);
  t.equal(world.cluster.breaker.count('retries'), 1);
  world.clock.advance(25);
  t.equal(exchange.attempt, 2);
  t.ok(exchange.wantsFresh);
  t.not(exchange.endpoint, first);
  t.same(world.transport.sent[1]!.volatile, ['outrider-attempt', '2']);
  world.transport.connect();
  exchange.responseHead(responseHead(200), NO_FIELDS, true);
  t.same(downstream.said, ['head 200 end']);
  t.same(world.trace, ['begin once', 'begin attempt', 'end attempt', 'begin attempt', 'end attempt', 'end once']);
  t.same(world.ended, ['200 - - - -'], 'the first failure is not the outcome');
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('an answer that is retried leaves no trace in the one that counts', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request();
  const first = world.transport.connect();
  exchange.responseHead(responseHead(503, NO_FIELDS, { flag: 'UF', notProcessed: true }), NO_FIELDS, false);
  t.ok(first.closed, 'nobody reads its body');
  world.clock.advance(0);
  world.transport.connect();
  exchange.responseHead(responseHead(204), NO_FIELDS, true);
  t.same(downstream.said, ['head 204 end']);
  t.same(world.ended, ['204 - - - -']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('when every attempt fails, the last failure is the answer', t => {
  const world = createWorld();
  const { exchange, downstream } = world.request(requestHead(), true, ['x-request-id', 'abc']);
  for (let i = 0; i < 3; i++) {
    world.transport.connect();
    exchange.responseReset(NOT_SENT);
    world.clock.advance(1_000);
  }
  t.equal(world.transport.sent.length, 3);
  t.equal(downstream.body, 'No connection to the destination could be made.\n');
  t.same(downstream.head?.fields.list.slice(2, 4), ['x-outrider-flag', 'UF']);
  t.same(world.ended, ['503 CONNECT_FAILED connection_refused - -']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a request that never finds an instance is answered', t => {
  const world = createWorld({ endpoints: [] });
  const { downstream } = world.request();
  t.equal(downstream.said[0], 'head 503');
  t.match(world.ended, ['503 NO_HEALTHY_UPSTREAM no_endpoint - -']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});
