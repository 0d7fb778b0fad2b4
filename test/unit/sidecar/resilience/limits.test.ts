import t from 'tap';
import { DEFAULT_POLICY } from '../../../../api/snapshot.ts';
import { manualClock } from '../../../../common/clock.ts';
import { BREAKER_COUNTS, CircuitBreaker, LIMITS } from '../../../../sidecar/resilience/circuit-breaker.ts';
import { logRefusals } from '../../../../sidecar/resilience/log-refusals.ts';
import { createWorld, NO_LEAKS, requestHead } from '../exchange.fixture.ts';

const limits = { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1, maxRetries: 1 };

t.test('each limit of a circuit breaker counts for itself', t => {
  const refused: string[] = [];
  const breaker = new CircuitBreaker(limits, (limit, max) => refused.push(`${limit} ${max}`));
  for (const limit of LIMITS) {
    t.notOk(breaker.isOpen(limit));
    t.ok(breaker.take(limit));
    t.ok(breaker.isOpen(limit));
    t.notOk(breaker.take(limit));
    t.equal(breaker.count(limit), 1, 'what is refused is not counted');
  }
  t.same(
    refused,
    LIMITS.map(limit => `${limit} 1`),
  );
  breaker.give('requests');
  t.ok(breaker.take('requests'));
  breaker.force('requests');
  t.equal(breaker.count('requests'), 2);
  breaker.limits = { ...limits, maxRequests: 5 };
  t.ok(breaker.take('requests'), 'a new policy holds at once');
  t.end();
});

t.test('a raw TCP connection is a connection and a request', t => {
  const refused: string[] = [];
  const breaker = new CircuitBreaker({ ...limits, maxConnections: 2, maxRequests: 3 }, limit => refused.push(limit));
  breaker.force('connections'); // the link that carries them
  t.equal(breaker.takeRaw(), undefined);
  t.notOk(breaker.isOpen('connections'));
  t.equal(breaker.takeRaw(), undefined);
  t.ok(breaker.isOpen('connections'));
  t.equal(breaker.takeRaw(), 'connections');
  breaker.giveRaw();
  breaker.take('requests');
  breaker.take('requests');
  t.equal(breaker.takeRaw(), 'requests');
  t.same(refused, ['connections', 'requests']);
  breaker.giveRaw();
  t.equal(breaker.count('requests'), 2, 'and was both');
  t.end();
});

t.test('a raw TCP connection too many is refused at once, and one that ends makes room', t => {
  const world = createWorld({ policy: { circuitBreaker: { ...DEFAULT_POLICY.circuitBreaker, maxConnections: 1 } } });
  const first = world.request(requestHead('CONNECT'), false);
  const second = world.request(requestHead('CONNECT'), false);
  t.ok(second.exchange.done);
  t.match(world.ended, ['503 OVERFLOW connections - -']);
  t.notOk(world.request().exchange.done, 'a request is not a connection');
  first.exchange.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  t.notOk(world.request(requestHead('CONNECT'), false).exchange.done);
  t.end();
});

t.test('a request too many is refused at once, and the others go on', t => {
  const world = createWorld({ policy: { circuitBreaker: { ...DEFAULT_POLICY.circuitBreaker, maxRequests: 2 } } });
  const first = world.request();
  const second = world.request();
  const third = world.request();
  t.equal(third.downstream.head?.status, 503);
  t.match(world.ended, ['503 OVERFLOW max_requests - -']);
  t.equal(world.cluster.breaker.count('requests'), 2);
  first.exchange.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  const fourth = world.request();
  t.notOk(fourth.exchange.done);
  for (const { exchange } of [second, fourth])
    exchange.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a log line tells of refusals, for each destination and limit once in ten seconds', t => {
  const clock = manualClock();
  clock.advance(1_000);
  const lines: unknown[] = [];
  const write = (message: string, fields = {}): void => void lines.push({ message, ...fields });
  const logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  const refuse = logRefusals(logger, clock);
  const { cluster } = createWorld();
  for (let i = 0; i < 100; i++) refuse(cluster, 'requests', 7);
  refuse(cluster, 'retries', 1);
  t.same(lines, [
    { message: 'A circuit breaker refuses.', service: 'app.default', port: 80, limit: 'requests', max: 7 },
    { message: 'A circuit breaker refuses.', service: 'app.default', port: 80, limit: 'retries', max: 1 },
  ]);
  clock.advance(10_000);
  refuse(cluster, 'requests', 7);
  t.equal(lines.length, 3);
  t.end();
});

t.test('new work is refused while more is buffered than the sidecar may', t => {
  const world = createWorld();
  world.account.hold(64 * 1_048_576 + 1);
  const { downstream } = world.request(requestHead('POST'), false);
  t.equal(downstream.head?.status, 503);
  t.match(world.ended, ['503 OVERLOAD buffer_budget - -']);
  world.account.release(64 * 1_048_576 + 1);
  t.notOk(world.request().exchange.done);
  t.end();
});

t.test('two workers never take more than the limit together', t => {
  const counts = new Int32Array(new SharedArrayBuffer(BREAKER_COUNTS * 4));
  const own = { ...limits, maxRequests: 3, maxConnections: 1 };
  const [one, other] = [0, 1].map(() => new CircuitBreaker(own, undefined, counts)) as [CircuitBreaker, CircuitBreaker];
  t.same(
    [one, other, one, other].map(breaker => breaker.take('requests')),
    [true, true, true, false],
  );
  t.ok(one.isOpen('requests') && other.isOpen('requests'));
  other.give('requests');
  t.equal(one.takeRaw(), undefined);
  t.equal(other.takeRaw(), 'connections');
  one.giveRaw();
  t.equal(other.takeRaw(), undefined);
  t.equal(one.count('requests'), 3, 'what was refused is not counted');
  t.end();
});
