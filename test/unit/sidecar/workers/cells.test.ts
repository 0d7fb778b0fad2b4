import t from 'tap';
import { ReceivedCells, SharedCells } from '../../../../sidecar/workers/cells.ts';

t.test('what the first worker made is found by the others, and is the same memory', t => {
  const first = new SharedCells();
  const own = new Int32Array(first.of('cluster a', 8));
  const second = new ReceivedCells();
  second.receive(first.take());
  const others = new Int32Array(second.of('cluster a', 8));
  Atomics.add(own, 1, 5);
  t.same([...others], [0, 5]);
  t.end();
});

t.test('what was handed over is not handed over again, and what is gone and comes again is new', t => {
  const first = new SharedCells();
  first.of('a', 4);
  t.same([...first.take().keys()], ['a']);
  first.of('b', 4);
  const again = first.of('b', 4);
  const taken = first.take();
  t.same([...taken.keys()], ['b']);
  t.equal(taken.get('b'), again);
  t.end();
});

t.test('a worker that finds nothing says so', t => {
  t.throws(() => new ReceivedCells().of('cluster a', 4), { message: 'there is nothing shared for cluster a' });
  t.end();
});
