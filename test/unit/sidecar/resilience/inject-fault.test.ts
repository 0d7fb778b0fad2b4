import t from 'tap';
import { createWorld, NO_LEAKS } from '../exchange.fixture.ts';

const draws = (...numbers: readonly number[]) => {
  const left = [...numbers];
  return () => left.shift() ?? 0.99;
};

t.test('the share that the rule says is answered with a fault, and does not go out', t => {
  const fault = { delayMs: 0, delayPercent: 0, abortPercent: 30 };
  const world = createWorld({ fault, random: draws(0.9, 0.29, 0.9, 0.3) });
  const [hit, missed] = [world.request(), world.request()];
  t.equal(hit.downstream.head?.status, 503);
  t.same(world.ended, ['503 FAULT_INJECTED fault_injected - -']);
  t.same(world.retries, [], 'nor is it repeated');
  t.notOk(missed.exchange.done);
  missed.exchange.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('a delayed one goes out later, or is aborted then', t => {
  const fault = { delayMs: 2_000, delayPercent: 50, abortPercent: 50 };
  const world = createWorld({ fault, random: draws(0.4, 0.4, 0.6, 0.4) });
  const [late, never] = [world.request(), world.request()];
  t.equal(world.transport.waiting.size, 0);
  world.clock.advance(1_999);
  t.equal(world.transport.waiting.size + world.ended.length, 0);
  world.clock.advance(1);
  t.equal(world.transport.waiting.size, 1, 'one of the two');
  t.match(world.ended, ['503 FAULT_INJECTED fault_injected - -']);
  for (const { exchange } of [late, never])
    exchange.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});

t.test('the wait counts for the time limit, and ends with the caller', t => {
  const fault = { delayMs: 2_000, delayPercent: 100, abortPercent: 0 };
  const world = createWorld({ fault, requestTimeoutMs: 1_000 });
  world.request();
  world.clock.advance(1_000);
  t.match(world.ended, ['504 DEADLINE_EXCEEDED request_timeout - -']);
  const gone = world.request();
  gone.exchange.requestReset({ code: 'DOWNSTREAM_RESET', detail: '', cause: '', retry: 'never' });
  t.equal(world.clock.pending, 0);
  t.same(world.leaks(), NO_LEAKS);
  t.end();
});
