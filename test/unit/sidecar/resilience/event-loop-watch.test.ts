import t from 'tap';
import type { Clock, Timer } from '../../../../common/clock.ts';
import {
  EventLoopWatch,
  LONG_TURN_MS,
  LONG_TURNS,
  SHORT_TURN_MS,
  SHORT_TURNS,
  threadCpuMs,
} from '../../../../sidecar/resilience/event-loop-watch.ts';

/** A loop whose turns take as long as the test says, on a processor that gives this thread as much as the test says. */
class Loop {
  readonly watch: EventLoopWatch;
  private nowMs = 0;
  private cpuMs = 0;
  private due: { readonly atMs: number; readonly fn: () => void } | undefined = undefined;

  constructor() {
    const clock: Clock = {
      nowMs: () => this.nowMs,
      wallMs: () => this.nowMs,
      setTimer: (ms, fn): Timer => {
        this.due = { atMs: this.nowMs + ms, fn };
        return { cancel: () => (this.due = undefined) };
      },
    };
    this.watch = new EventLoopWatch(clock, () => this.cpuMs);
  }

  get watching(): boolean {
    return this.due !== undefined;
  }

  /** Work comes in, and the turn that it begins ends so late after the timer was due; `cpuMs`: what this thread had of that. */
  turn(lateMs: number, cpuMs = lateMs, work = true): void {
    if (work) this.watch.notice();
    const { due } = this;
    if (due === undefined) return;
    this.due = undefined;
    this.nowMs = due.atMs + lateMs;
    this.cpuMs += cpuMs;
    due.fn();
  }

  turns(count: number, lateMs: number, cpuMs = lateMs, work = true): void {
    for (let i = 0; i < count; i++) this.turn(lateMs, cpuMs, work);
  }
}

t.test('a loop is held after three long turns without rest between them, and not before', t => {
  const loop = new Loop();
  loop.turns(LONG_TURNS - 1, LONG_TURN_MS);
  loop.turns(SHORT_TURNS, SHORT_TURN_MS - 1);
  loop.turns(LONG_TURNS - 1, LONG_TURN_MS);
  t.notOk(loop.watch.held, 'what was before a rest does not count');
  loop.turn(LONG_TURN_MS - 1);
  loop.turns(SHORT_TURNS - 1, 0);
  t.notOk(loop.watch.held);
  loop.turn(LONG_TURN_MS);
  t.ok(loop.watch.held);
  t.equal(loop.watch.turnMs, LONG_TURN_MS);
  t.end();
});

t.test('a held loop is calm again after ten short turns in a row, and not before', t => {
  const loop = new Loop();
  loop.turns(LONG_TURNS, 2 * LONG_TURN_MS);
  loop.turns(SHORT_TURNS - 1, SHORT_TURN_MS - 1);
  t.ok(loop.watch.held);
  loop.turn(SHORT_TURN_MS);
  loop.turns(SHORT_TURNS - 1, 0);
  t.ok(loop.watch.held, 'a longer one between them counts');
  loop.turn(0);
  t.notOk(loop.watch.held);
  t.end();
});

t.test('one turn of a minute does not make a held loop', t => {
  const loop = new Loop();
  loop.turn(60_000);
  loop.turns(100, 0);
  t.notOk(loop.watch.held);
  t.end();
});

t.test('a thread that the system gives no time is not held, however late its timers are', t => {
  const loop = new Loop();
  loop.turns(100, 10_000, 1);
  t.notOk(loop.watch.held);
  loop.turns(100, 3_000, LONG_TURN_MS - 1);
  t.notOk(loop.watch.held, 'a sixth of a processor, with turns that would be short on a whole one');
  loop.turns(LONG_TURNS, 3_000, LONG_TURN_MS);
  t.ok(loop.watch.held, 'work that is long in itself is long there too');
  t.end();
});

t.test('a thread that is busy with short turns is not held', t => {
  const loop = new Loop();
  loop.turns(100, 20, 120);
  t.notOk(loop.watch.held);
  t.end();
});

t.test('nothing is measured while no work comes in, and what was before it is forgotten', t => {
  const loop = new Loop();
  t.notOk(loop.watching);
  loop.turns(LONG_TURNS - 1, LONG_TURN_MS);
  t.ok(loop.watching);
  loop.turn(0, 0, false);
  t.notOk(loop.watching);
  loop.turn(LONG_TURN_MS);
  t.notOk(loop.watch.held);
  loop.turns(LONG_TURNS - 1, LONG_TURN_MS);
  t.ok(loop.watch.held);
  loop.turns(SHORT_TURNS, 0, 0, false);
  t.notOk(loop.watch.held, 'a held loop is looked at without work too');
  t.notOk(loop.watching);
  t.end();
});

t.test('nothing is left when it ends', t => {
  const loop = new Loop();
  loop.watch.notice();
  loop.watch[Symbol.dispose]();
  t.notOk(loop.watching);
  t.end();
});

t.test('the CPU time of the thread goes on with work', t => {
  const before = threadCpuMs();
  while (threadCpuMs() === before) Math.random();
  t.ok(threadCpuMs() > before);
  t.end();
});
