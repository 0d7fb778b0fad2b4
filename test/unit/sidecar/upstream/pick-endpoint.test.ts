import t from 'tap';
import { proxyError } from '../../../../sidecar/errors/proxy-error.ts';
import { NO_FIELDS } from '../../../../sidecar/protocol/head.ts';
import { createWorld, responseHead } from '../exchange.fixture.ts';
import { endpointView } from '../route/snapshot.fixture.ts';

/** One instance, and what the balancer believes of it. */
const start = (requestTimeoutMs = Number.POSITIVE_INFINITY) => {
  const world = createWorld({ endpoints: [endpointView('10.0.0.1:15006')], requestTimeoutMs });
  const { exchange } = world.request();
  const { endpoint } = exchange;
  world.transport.connect();
  const latency = (): number => Math.round(endpoint?.latency.currentMs(world.clock.nowMs()) ?? 0);
  return { world, exchange, latency };
};

t.test('the latency is the time to the head of the answer, known from then on', t => {
  const { world, exchange, latency } = start();
  world.clock.advance(20);
  exchange.responseHead(responseHead(200), NO_FIELDS, false);
  t.equal(latency(), 20);
  world.clock.advance(9_000);
  const before = latency();
  exchange.responseData(Buffer.from('x'), true);
  t.equal(latency(), before, 'a long answer is not a slow one');
  t.end();
});

t.test('an answer that fails counts as failed: by its head, or behind it', t => {
  const byHead = start();
  byHead.exchange.responseHead(responseHead(503), NO_FIELDS, true);
  t.equal(byHead.latency(), 1_000);

  const behind = start();
  behind.exchange.responseHead(responseHead(200), NO_FIELDS, false);
  t.equal(behind.latency(), 0);
  behind.exchange.responseReset(proxyError('UPSTREAM_RESET', 'stream_reset'));
  t.equal(behind.latency(), 1_000);

  const trailers = start();
  trailers.exchange.responseHead(responseHead(200), NO_FIELDS, false);
  trailers.exchange.responseTrailers(['grpc-status', '14']);
  t.equal(trailers.latency(), 1_000);
  t.end();
});

t.test('without an answer the whole time counts; a caller that gives up says that it would have taken longer', t => {
  const late = start(3_000);
  late.world.clock.advance(3_000);
  t.ok(late.exchange.done);
  t.equal(late.latency(), 3_000);

  const gone = start();
  gone.world.clock.advance(500);
  gone.exchange.requestReset(proxyError('DOWNSTREAM_RESET', 'stream_reset'));
  t.equal(gone.latency(), 500);

  const quick = start();
  quick.exchange.responseHead(responseHead(200), NO_FIELDS, false);
  quick.world.clock.advance(500);
  quick.exchange.requestReset(proxyError('DOWNSTREAM_RESET', 'stream_reset'));
  t.equal(quick.latency(), 0, 'after the head it says nothing');
  t.end();
});
