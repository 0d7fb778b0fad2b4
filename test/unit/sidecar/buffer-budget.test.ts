import t from 'tap';
import { BufferBudget, budgetBytes } from '../../../sidecar/buffer-budget.ts';

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

t.test('the budget is for all workers together', t => {
  const memory = new SharedArrayBuffer(budgetBytes(3));
  const [first, second, third] = [0, 1, 2].map(worker => new BufferBudget(1_000, memory, worker)) as [
    BufferBudget,
    BufferBudget,
    BufferBudget,
  ];
  first.hold(400);
  third.hold(601);
  t.equal(second.buffered, 1_001);
  t.ok(second.exhausted);
  first.release(400);
  third.release(601);
  t.ok(first.reserve(200));
  t.notOk(third.reserve(51), 'windows may take a quarter in all');
  first.unreserve(200);
  t.ok(third.reserve(51));
  t.end();
});
