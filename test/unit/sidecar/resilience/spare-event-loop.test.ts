import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { BufferBudget } from '../../../../sidecar/buffer-budget.ts';
import { Exchange } from '../../../../sidecar/exchange.ts';
import type { Plan } from '../../../../sidecar/plan.ts';
import { EventLoopWatch } from '../../../../sidecar/resilience/event-loop-watch.ts';
import { OverloadEpisodes } from '../../../../sidecar/resilience/overload-episodes.ts';
import { spareEventLoop } from '../../../../sidecar/resilience/spare-event-loop.ts';
import { NEVER_AGAIN, Pipeline } from '../../../../sidecar/step.ts';
import { FakeDownstream, requestHead } from '../exchange.fixture.ts';

const setUp = () => {
  const clock = manualClock();
  const lines: unknown[] = [];
  const write = (message: string, fields: object = {}): void => void lines.push({ message, ...fields });
  const logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  const overload = new OverloadEpisodes(logger, clock);
  const loop = new EventLoopWatch(clock, () => 0);
  const pipeline = new Pipeline([spareEventLoop(loop, overload)], NEVER_AGAIN, []);
  const request = (head = requestHead()) => {
    const downstream = new FakeDownstream();
    const context = { pipeline, clock, account: new BufferBudget() };
    const exchange = new Exchange(context, { link: false, target: undefined }, downstream, head, [], true);
    exchange.resume();
    return { exchange, downstream };
  };
  return { clock, lines, overload, loop, request };
};

t.test('while the event loop is held new work is refused, and what runs goes on', t => {
  const { loop, request } = setUp();
  const running = request();
  t.notOk(running.exchange.done);
  loop.held = true;
  const { exchange, downstream } = request();
  t.equal(downstream.head?.status, 503);
  t.same(downstream.headVolatile.slice(-2), ['x-outrider-detail', 'event_loop_held']);
  t.match(exchange.error, { code: 'OVERLOAD', detail: 'event_loop_held', retry: 'never' });
  t.notOk(running.exchange.done);
  loop.held = false;
  t.notOk(request().exchange.done);
  t.end();
});

t.test('what is refused is counted where requests with this head went before', t => {
  const { loop, request } = setUp();
  loop.held = true;
  const head = requestHead();
  t.equal(request(head).exchange.plan, undefined);
  const plan = {} as Plan;
  head.plan = plan;
  t.equal(request(head).exchange.plan, plan);
  t.end();
});

t.test('the event loop is watched from the first request on', t => {
  const { clock, request } = setUp();
  t.equal(clock.pending, 0);
  request();
  t.equal(clock.pending, 1);
  t.end();
});

t.test('an episode of refusals is one line in the log, and ends after ten quiet seconds', t => {
  const { clock, lines, overload } = setUp();
  for (let i = 0; i < 100; i++) {
    overload.refused('event_loop', 812.4);
    clock.advance(9_999);
  }
  overload.refused('memory', 70_000_000);
  const message = 'New work is refused: the sidecar is overloaded.';
  t.same(lines, [
    { message, resource: 'event_loop', turn_ms: 812 },
    { message, resource: 'memory', buffered_bytes: 70_000_000 },
  ]);
  clock.advance(10_000);
  overload.refused('event_loop', 500);
  t.equal(lines.length, 3);
  t.match(overload.counts, [
    { resource: 'memory', count: 1 },
    { resource: 'event_loop', count: 2 },
  ]);
  t.end();
});
