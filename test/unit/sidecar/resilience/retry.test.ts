import fc from 'fast-check';
import t from 'tap';
import { DEFAULT_POLICY, type RetryView } from '../../../../api/snapshot.ts';
import { seededRandom } from '../../../../common/random.ts';
import { proxyError } from '../../../../sidecar/errors/proxy-error.ts';
import { NO_FIELDS } from '../../../../sidecar/protocol/head.ts';
import { backoffMs, retryAfterMs } from '../../../../sidecar/resilience/retry-pause.ts';
import type { Attempt } from '../../../../sidecar/upstream/transport.ts';
import { createWorld, NO_LEAKS, requestHead, responseHead } from '../exchange.fixture.ts';

const NOT_SENT = proxyError('CONNECT_FAILED', 'connection_refused');
const RESET = proxyError('UPSTREAM_RESET', 'stream_reset');
const on5xx: RetryView = { attempts: 3, codes: [], backoffMs: 100, on: ['5xx'] };

t.test('a pause lies between nothing and its bound, which doubles up to ten times the first', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer(),
      (first, attempt, seed) => {
        const ms = backoffMs(first, attempt, seededRandom(seed));
        return ms >= 0 && ms < first * Math.min(2 ** (attempt - 1), 10);
      },
    ),
  );
  t.same(
    [1, 2, 3, 4, 5, 6].map(attempt => backoffMs(100, attempt, () => 0.5)),
    [50, 100, 200, 400, 500, 500],
  );
  t.end();
});

t.test('Retry-After is seconds or a date, and too long a time means no retry', t => {
  const now = Date.parse('Sun, 22 Nov 2026 12:00:00 GMT');
  const after = (value: string) => retryAfterMs(responseHead(503, ['retry-after', value]), now);
  t.equal(after('2'), 2_000);
  t.equal(after('0'), 0);
  t.equal(after('10'), 10_000);
  t.equal(after('11'), undefined);
  t.equal(after('Sun, 22 Nov 2026 12:00:03 GMT'), 3_000);
  t.equal(after('Sun, 22 Nov 2026 11:00:00 GMT'), 0, 'a date that has passed');
  t.equal(after('Sun, 22 Nov 2026 13:00:00 GMT'), undefined);
  t.equal(after('soon'), 0);
  t.equal(retryAfterMs(responseHead(503), now), 0);
  t.equal(retryAfterMs(undefined, now), 0);
  t.end();
});

t.test('what was not sent is repeated at once, the next time after a pause', t => {
  const world = createWorld();
  const { exchange } = world.request(requestHead('POST'));
  exchange.attemptFailed(NOT_SENT);
  world.clock.advance(0);
  t.equal(exchange.attempt, 2);
  exchange.attemptFailed(NOT_SENT);
  world.clock.advance(24);
  t.equal(exchange.attempt, 2);
  world.clock.advance(1);
  t.equal(exchange.attempt, 3);
  t.end();
});

t.test('the server’s own wish for a pause is respected', t => {
  const world = createWorld({ retry: on5xx });
  const { exchange } = world.request();
  world.transport.connect();
  exchange.responseHead(responseHead(503, ['retry-after', '2']), NO_FIELDS, true);
  world.clock.advance(1_999);
  t.equal(exchange.attempt, 1);
  world.clock.advance(1);
  t.equal(exchange.attempt, 2);
  world.transport.connect();
  exchange.responseHead(responseHead(503, ['retry-after', '3600']), NO_FIELDS, true);
  t.ok(exchange.done, 'an hour is not waited for');
  t.same(world.ended, ['503 - - - -']);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a pause that would outlast the deadline is not begun, and costs no budget', t => {
  const world = createWorld({ retry: on5xx, requestTimeoutMs: 1_000 });
  const { exchange } = world.request();
  world.transport.connect();
  exchange.responseHead(responseHead(503, ['retry-after', '1']), NO_FIELDS, true);
  t.ok(exchange.done);
  t.equal(world.ended[0], '503 - - - -');
  t.same(
    [1, 2, 3].map(() => world.cluster.budget.withdraw()),
    [true, true, true],
  );
  t.end();
});

t.test('without budget the failure is the answer', t => {
  const world = createWorld({ policy: { retryBudget: { ratio: 0, minRetries: 1, windowMs: 10_000 } } });
  world.request().exchange.attemptFailed(NOT_SENT);
  const { exchange, downstream } = world.request();
  exchange.attemptFailed(NOT_SENT);
  t.equal(downstream.head?.status, 503);
  t.same(world.retries, ['connect-failure']);
  t.equal(world.cluster.breaker.count('retries'), 1, 'the first one is still under way');
  world.clock.advance(10_000);
  t.equal(world.transport.sent.length, 3);
  t.end();
});

t.test('no more retries are under way than the circuit breaker allows', t => {
  const policy = { circuitBreaker: { ...DEFAULT_POLICY.circuitBreaker, maxRetries: 1 } };
  const world = createWorld({ policy });
  const first = world.request();
  first.exchange.attemptFailed(NOT_SENT);
  const second = world.request();
  second.exchange.attemptFailed(NOT_SENT);
  t.ok(second.exchange.done);
  world.clock.advance(0);
  t.equal(first.exchange.attempt, 2);
  first.exchange.attemptFailed(NOT_SENT);
  t.notOk(first.exchange.done, 'its own second retry takes the place of its first');
  world.clock.advance(100);
  world.transport.connect();
  first.exchange.responseHead(responseHead(200), NO_FIELDS, true);
  t.same(world.leaks(), NO_LEAKS);
  world.request().exchange.attemptFailed(NOT_SENT);
  t.equal(world.retries.length, 3, 'and then there is room again');
  t.end();
});

t.test('a request that met a closed idle connection goes out again at once, on a fresh one', t => {
  const world = createWorld({ retriesResets: 'reused-connections' });
  const { exchange } = world.request();
  t.notOk(exchange.wantsFresh);
  world.transport.connect(true);
  exchange.responseReset(proxyError('UPSTREAM_CLOSED', 'connection_ended'));
  world.clock.advance(0);
  t.equal(exchange.attempt, 2);
  t.ok(exchange.wantsFresh);
  world.transport.connect(false);
  exchange.responseReset(proxyError('UPSTREAM_CLOSED', 'connection_ended'));
  t.match(world.ended, ['503 UPSTREAM_CLOSED connection_ended - -'], 'the app itself closed this one');
  t.same(world.leaks(), NO_LEAKS);
  const post = world.request(requestHead('POST'));
  world.transport.connect(true);
  post.exchange.responseReset(RESET);
  t.ok(post.exchange.done, 'never a second POST');
  t.end();
});

t.test('a retry storm can’t build: when all fails, the load is at most 1.2 times what is offered', t => {
  const world = createWorld({ retry: on5xx, policy: { outlierDetection: null } });
  const offered = 2_000;
  const sent: Attempt[] = [];
  world.transport.onSend = attempt => sent.push(attempt);
  const failAll = (): void => {
    for (const attempt of sent.splice(0)) attempt.responseHead(responseHead(503), NO_FIELDS, true);
  };
  for (let i = 0; i < offered; i++) {
    world.request();
    failAll();
    world.clock.advance(10);
    failAll();
  }
  for (let i = 0; i < 10; i++) {
    world.clock.advance(1_000);
    failAll();
  }
  const load = world.transport.sent.length;
  t.ok(load <= 1.2 * offered, `${load} attempts for ${offered} requests`);
  t.ok(load > 1.1 * offered, 'and the budget is used');
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});
