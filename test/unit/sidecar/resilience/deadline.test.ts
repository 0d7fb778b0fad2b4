import t from 'tap';
import { callerTimeoutMs, parseGrpcTimeout } from '../../../../sidecar/resilience/deadline.ts';
import { createWorld, NO_LEAKS, requestHead } from '../exchange.fixture.ts';

t.test('a grpc-timeout is digits and a unit', t => {
  const table: Record<string, number | undefined> = {
    '1H': 3_600_000,
    '2M': 120_000,
    '3S': 3_000,
    '100m': 100,
    '5u': 0.005,
    '1000000n': 1,
    '00000001S': 1_000,
    '99999999H': 99_999_999 * 3_600_000,
    '0n': 0,
    '123456789S': undefined,
    '': undefined,
    S: undefined,
    '1': undefined,
    '1s': undefined,
    '-1S': undefined,
    '1.5S': undefined,
    ' 1S': undefined,
    '1S ': undefined,
    '1SS': undefined,
  };
  for (const [value, ms] of Object.entries(table)) {
    const parsed = parseGrpcTimeout(value);
    if (ms === undefined) t.equal(parsed, undefined, JSON.stringify(value));
    else t.ok(parsed !== undefined && Math.abs(parsed - ms) < 1e-9, `${value} is ${ms} ms`);
  }
  t.end();
});

t.test('the caller says how long it waits, the sidecar before it first', t => {
  const said = (...volatile: string[]): number =>
    callerTimeoutMs(createWorld().request(requestHead(), true, volatile).exchange);
  t.equal(said(), Number.POSITIVE_INFINITY);
  t.equal(said('x-request-id', '1'), Number.POSITIVE_INFINITY);
  t.equal(said('grpc-timeout', '1S'), 1_000);
  t.equal(said('grpc-timeout', '1S', 'outrider-timeout-ms', '700'), 700);
  t.equal(said('outrider-timeout-ms', 'soon', 'grpc-timeout', '2S'), 2_000);
  t.equal(said('grpc-timeout', 'soon'), Number.POSITIVE_INFINITY);
  t.end();
});

t.test('the smaller of what the caller and the route allow holds', t => {
  for (const [route, caller, expected] of [
    [500, '2S', 500],
    [5_000, '2S', 2_000],
  ] as const) {
    const world = createWorld({ requestTimeoutMs: route });
    const { exchange, downstream } = world.request(requestHead(), true, ['grpc-timeout', caller]);
    world.clock.advance(expected - 1);
    t.notOk(exchange.done);
    world.clock.advance(1);
    t.equal(downstream.head?.status, 504);
    t.same(world.leaks(), NO_LEAKS);
  }
  t.end();
});

t.test('a caller without time left gets its answer at once, and nothing is sent', t => {
  const world = createWorld();
  const { downstream } = world.request(requestHead(), true, ['grpc-timeout', '0n']);
  t.equal(downstream.head?.status, 504);
  t.equal(world.transport.sent.length, 0);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('no timer is set when nobody asks for one, and none is left', t => {
  const world = createWorld();
  const { exchange } = world.request();
  t.equal(world.clock.pending, 0);
  exchange.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  const timed = createWorld({ requestTimeoutMs: 100 });
  const { exchange: second } = timed.request();
  t.equal(timed.clock.pending, 1);
  second.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  t.equal(timed.clock.pending, 0);
  t.end();
});

t.test('what is left of the time is passed on, for gRPC in its own words too', t => {
  const world = createWorld({ requestTimeoutMs: 400 });
  const { exchange } = world.request(requestHead('POST'), true, ['grpc-timeout', '2S', 'x-request-id', '1']);
  t.same(world.transport.sent[0]?.volatile, [
    'grpc-timeout',
    '405m',
    'x-request-id',
    '1',
    'outrider-timeout-ms',
    '400',
  ]);
  world.clock.advance(100);
  exchange.attemptFailed({ code: 'REFUSED', detail: 'goaway', cause: '', retry: 'not-sent' });
  world.clock.advance(0);
  t.same(world.transport.sent[1]?.volatile, [
    'grpc-timeout',
    '305m',
    'x-request-id',
    '1',
    'outrider-timeout-ms',
    '300',
    'outrider-attempt',
    '2',
  ]);
  t.end();
});

t.test('an attempt has a limit of its own, and the next one the whole of it again', t => {
  const world = createWorld({ attemptTimeoutMs: 100 });
  const { exchange, downstream } = world.request();
  const first = world.transport.connect();
  world.clock.advance(100);
  t.ok(first.closed, 'the instance is told');
  t.same(world.retries, ['reset'], 'a safe request is repeated');
  world.clock.advance(12.5);
  world.transport.connect();
  world.clock.advance(99);
  t.notOk(exchange.done);
  world.clock.advance(1);
  t.equal(downstream.head?.status, 504);
  t.match(world.ended[0], /504 DEADLINE_EXCEEDED attempt_timeout/);
  t.same(world.leaks(), NO_LEAKS);
  t.equal(world.clock.pending, 0);
  t.end();
});

t.test('the limit of an attempt holds while it waits for a connection, and other methods are not repeated', t => {
  const world = createWorld({ attemptTimeoutMs: 100 });
  const { downstream } = world.request(requestHead('POST'));
  world.clock.advance(100);
  t.equal(downstream.head?.status, 504);
  t.equal(world.transport.waiting.size, 0);
  t.same(world.retries, []);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});
