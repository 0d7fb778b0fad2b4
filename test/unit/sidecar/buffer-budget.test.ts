import t from 'tap';
import { BufferBudget } from '../../../sidecar/buffer-budget.ts';

t.test('windows grow within a quarter of the budget', t => {
  const budget = new BufferBudget(1_000);
  t.ok(budget.reserve(200));
  t.notOk(budget.reserve(51));
  t.ok(budget.reserve(50));
  budget.unreserve(250);
  t.ok(budget.reserve(250));
  t.end();
});

t.test('there is room to grow while less than half is taken, by bytes and by what windows may bring', t => {
  const budget = new BufferBudget(1_000);
  budget.hold(300);
  t.ok(budget.roomToGrow);
  t.ok(budget.reserve(199));
  t.ok(budget.roomToGrow);
  budget.hold(1);
  t.notOk(budget.roomToGrow);
  t.notOk(budget.reserve(1), 'and windows stay as they are');
  budget.unreserve(199);
  t.ok(budget.roomToGrow);
  t.end();
});

t.test('new work is refused when more than all of it is taken', t => {
  const budget = new BufferBudget(1_000);
  budget.hold(1_000);
  t.notOk(budget.exhausted);
  budget.hold(1);
  t.ok(budget.exhausted);
  t.equal(budget.buffered, 1_001);
  budget.release(1_001);
  t.notOk(budget.exhausted);
  t.end();
});
