import t from 'tap';
import type { RequestSink } from '../../../../sidecar/protocol/stream.ts';
import { IdleSweep } from '../../../../sidecar/resilience/idle-sweep.ts';
import { createWorld, type FakeDownstream, NO_LEAKS, requestHead, responseHead } from '../exchange.fixture.ts';

const IDLE_MS = 8_000;

const setUp = (idleTimeoutMs = IDLE_MS) => {
  const world = createWorld({ policy: { idleTimeoutMs } });
  const open = new Set<RequestSink>();
  const sweep = new IdleSweep({ open: () => open, clusters: () => [world.cluster], clock: world.clock });
  sweep.start();
  const request = (...args: Parameters<typeof world.request>) => {
    const made = world.request(...args);
    open.add(made.exchange);
    return made;
  };
  const count = (): number[] => Array.from(sweep.ended(), ({ count: ended }) => ended);
  return { world, clock: world.clock, sweep, open, request, count };
};
const codes = ({ errors }: FakeDownstream): string[] => errors.map(({ code }) => code);

t.test('a request without a byte in either direction is answered with 504, SI', t => {
  const { world, clock, request, sweep } = setUp();
  const { downstream } = request();
  world.transport.connect();
  clock.advance(IDLE_MS - 1);
  t.same(downstream.said, [], 'not early');
  clock.advance(IDLE_MS / 4 + 1);
  t.equal(downstream.head?.status, 504);
  t.same(downstream.headVolatile.slice(2, 4), ['x-outrider-detail', 'idle_timeout']);
  t.ok(downstream.head?.fields.list.includes('SI'));
  t.same([...sweep.ended()], [{ service: 'app', namespace: 'default', count: 1 }]);
  t.match(world.ended, ['504 IDLE_TIMEOUT idle_timeout - -'], 'and not repeated');
  t.equal(
    world.cluster.endpoints.every(({ failures }) => failures.count === 0),
    true,
    'nobody is blamed',
  );
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a request that another sink reads along with is ended too', t => {
  const { world, clock, open, request, count } = setUp();
  const { exchange, downstream } = request();
  open.delete(exchange);
  const sink = {
    behind: exchange,
    requestData: () => {},
    requestTrailers: () => {},
    requestReset: () => {},
    responseConsumed: () => {},
  };
  open.add(sink);
  world.transport.connect();
  clock.advance(IDLE_MS * 1.25);
  t.equal(downstream.head?.status, 504);
  t.same(count(), [1]);
  t.end();
});

t.test('a stream that has begun is reset', t => {
  const { world, clock, request, count } = setUp();
  const { exchange, downstream } = request();
  const upstream = world.transport.connect();
  exchange.responseHead(responseHead(200), [], false);
  exchange.responseData(Buffer.from('x'), false);
  clock.advance(IDLE_MS * 1.25);
  t.same(codes(downstream), ['IDLE_TIMEOUT']);
  t.same(upstream.said.at(-1), 'reset idle_timeout');
  t.same(count(), [1]);
  t.end();
});

t.test('bytes in either direction, and the head of the answer, keep it', t => {
  const { clock, request, count, world } = setUp();
  const { exchange, downstream } = request(requestHead('POST'), false);
  world.transport.connect();
  for (let i = 0; i < 5; i++) {
    clock.advance(IDLE_MS * 0.9);
    exchange.requestData(Buffer.from('x'), false);
  }
  clock.advance(IDLE_MS * 0.9);
  exchange.responseHead(responseHead(200), [], false);
  for (let i = 0; i < 5; i++) {
    clock.advance(IDLE_MS * 0.9);
    exchange.responseData(Buffer.from('x'), false);
  }
  t.same(codes(downstream), []);
  clock.advance(IDLE_MS * 1.25);
  t.same(codes(downstream), ['IDLE_TIMEOUT']);
  t.same(count(), [1]);
  t.end();
});

t.test('where the policy says 0, and where there is no destination yet, nothing is ended', t => {
  const { clock, request, world, count } = setUp(0);
  const { downstream } = request();
  world.transport.connect();
  clock.advance(86_400_000);
  t.same(downstream.said, []);
  t.same(count(), []);
  t.end();
});

t.test('an exchange that is over is left alone', t => {
  const { clock, request, world, count } = setUp();
  const { exchange, downstream } = request();
  world.transport.connect();
  exchange.responseHead(responseHead(200), [], true);
  clock.advance(IDLE_MS * 3);
  t.same(codes(downstream), []);
  t.same(count(), []);
  t.end();
});

t.test('one timer is all that it takes, and a new policy changes its pace', t => {
  const { world, clock, sweep, request } = setUp(3_600_000);
  t.equal(clock.pending, 1);
  const { downstream } = request();
  world.transport.connect();
  world.cluster.policy = { ...world.cluster.policy, idleTimeoutMs: 80 };
  sweep.start();
  clock.advance(100);
  t.equal(downstream.head?.status, 504);
  sweep[Symbol.dispose]();
  t.equal(clock.pending, 0);
  t.end();
});
