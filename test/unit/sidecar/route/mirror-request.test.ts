import t from 'tap';
import { createWorld, NO_LEAKS, requestHead, responseHead } from '../exchange.fixture.ts';

const bytes = (length: number): Buffer => Buffer.alloc(length, 'x');
const GONE = { code: 'DOWNSTREAM_RESET', detail: 'gone', cause: '', retry: 'never' } as const;

t.test('the share that the rule says is copied, with its body and its trailers, and the answer is dropped', t => {
  const draws = [0.29, 0.3];
  const world = createWorld({ mirrorPercent: 30, random: () => draws.shift() ?? 0.99 });
  const { exchange, downstream } = world.request(requestHead('POST'), false, ['x-request-id', '7']);
  const [upstream, copy] = [world.transport.connect(), world.mirror.connect()];
  t.same(world.mirror.sent[0]?.volatile, ['x-request-id', '7']);
  exchange.requestData(Buffer.from('one'), false);
  exchange.requestTrailers(['a', '1']);
  t.same(
    [upstream.said, copy.said],
    [
      ['data 3', 'trailers'],
      ['data 3', 'trailers'],
    ],
  );
  const answer = world.mirror.sent[0]?.attempt;
  answer?.requestConsumed(3);
  answer?.informational(responseHead(103));
  answer?.responseHead(responseHead(500), [], false);
  answer?.responseData(bytes(10), false);
  answer?.responseTrailers([]);
  t.equal(copy.consumed, 10, 'what it answers gets credit');
  t.same(downstream.said, [], 'and nobody sees it');
  exchange.responseHead(responseHead(204), [], true);
  t.same(downstream.said, ['head 204 end']);
  t.same(world.leaks(), NO_LEAKS);
  world.request();
  t.equal(world.mirror.sent.length, 1, 'the other one was not copied');
  t.end();
});

t.test('what came while the request waited is copied too', t => {
  const fault = { delayMs: 100, delayPercent: 100, abortPercent: 0 };
  for (const end of ['data', 'trailers'] as const) {
    const world = createWorld({ fault, mirrorPercent: 100 });
    const { exchange } = world.request(requestHead('POST'), false);
    exchange.requestData(Buffer.from('one'), false);
    exchange.requestData(Buffer.from('two'), end === 'data');
    if (end === 'trailers') exchange.requestTrailers([]);
    t.equal(world.mirror.sent.length, 0);
    world.clock.advance(100);
    t.same(world.mirror.connect().said, end === 'data' ? ['data 3', 'data 3 end'] : ['data 3', 'data 3', 'trailers']);
  }
  t.end();
});

t.test('a mirror that falls behind is given up, and the request goes on', t => {
  const world = createWorld({ mirrorPercent: 100 });
  const { exchange, downstream } = world.request(requestHead('POST'), false);
  const [upstream, copy] = [world.transport.connect(), world.mirror.connect()];
  for (let i = 0; i < 5; i++) {
    exchange.requestData(bytes(32_768), false);
    exchange.requestConsumed(32_768);
  }
  t.same(copy.said, ['data 32768', 'data 32768', 'reset mirror_too_slow']);
  t.equal(upstream.body.length, 5 * 32_768);
  t.equal(downstream.consumed, 5 * 32_768);
  exchange.requestData(bytes(0), true);
  exchange.responseHead(responseHead(200), [], true);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a request that does not come whole is no whole copy', t => {
  const world = createWorld({ mirrorPercent: 100 });
  const [lost, early] = [world.request(requestHead('POST'), false), world.request(requestHead('POST'), false)];
  const copies = world.mirror.sent.map(({ attempt }) => attempt);
  lost.exchange.requestReset(GONE);
  world.transport.connect();
  early.exchange.responseHead(responseHead(200), [], true);
  t.equal(world.mirror.waiting.size, 0, 'both were given up');
  t.equal(copies.length, 2);
  early.exchange.requestData(bytes(1), true);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('one that is whole outlives the request, and has the time limit of the rule', t => {
  const world = createWorld({ mirrorPercent: 100, requestTimeoutMs: 1_000 });
  const { exchange } = world.request();
  const copy = world.mirror.connect();
  world.transport.connect();
  exchange.responseHead(responseHead(200), [], true);
  t.same(copy.said, []);
  world.clock.advance(1_000);
  t.same(copy.said, ['reset request_timeout']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('what a mirror does not answer is none of the request’s business', t => {
  const world = createWorld({ mirrorPercent: 100 });
  const { exchange, downstream } = world.request(requestHead('POST'), false);
  exchange.requestData(bytes(10), false);
  world.mirror.connect();
  world.mirror.sent[0]?.attempt.responseReset(GONE);
  exchange.requestData(bytes(10), true);
  world.transport.connect();
  t.same(world.transport.upstreams[0]?.said, ['data 10', 'data 10 end']);
  exchange.responseHead(responseHead(200), [], true);
  t.same(downstream.said, ['head 200 end']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('tunnels are not copied', t => {
  const world = createWorld({ mirrorPercent: 100 });
  world.request(requestHead('CONNECT'), false);
  world.request(requestHead('GET', [], 'websocket'), false);
  t.equal(world.mirror.sent.length, 0);
  t.equal(world.transport.sent.length, 2);
  t.end();
});
