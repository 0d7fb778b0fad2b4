import t from 'tap';
import { Watched } from '../../../common/watch.ts';

t.test('readers see whole values, and are called for each replacement in the order in which they subscribed', t => {
  const watched = new Watched(1);
  const seen: string[] = [];
  const end = watched.subscribe(value => seen.push(`a${value}`));
  watched.subscribe(value => seen.push(`b${value}`));
  t.equal(watched.value, 1);
  watched.set(2);
  end();
  watched.set(3);
  t.same(seen, ['a2', 'b2', 'b3']);
  t.equal(watched.value, 3);
  t.end();
});

t.test('the same function may subscribe twice, and ends once at a time', t => {
  const watched = new Watched('x');
  let calls = 0;
  const listener = () => {
    calls++;
  };
  const end = watched.subscribe(listener);
  watched.subscribe(listener);
  watched.set('y');
  end();
  watched.set('z');
  t.equal(calls, 3);
  t.end();
});

t.test('a listener that ends itself while it is called does not disturb the others', t => {
  const watched = new Watched(0);
  const seen: number[] = [];
  const end = watched.subscribe(() => end());
  watched.subscribe(value => seen.push(value));
  watched.set(1);
  watched.set(2);
  t.same(seen, [1, 2]);
  t.end();
});
