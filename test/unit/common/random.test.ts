import t from 'tap';
import { seededRandom, systemRandom } from '../../../common/random.ts';

t.test('a seed gives the same numbers again, and another seed gives others', t => {
  const [a, b, c] = [seededRandom(7), seededRandom(7), seededRandom(8)];
  const first = Array.from({ length: 5 }, a);
  t.same(Array.from({ length: 5 }, b), first);
  t.notSame(Array.from({ length: 5 }, c), first);
  t.end();
});

t.test('random numbers lie in [0, 1) and are spread evenly', t => {
  for (const random of [seededRandom(1), systemRandom]) {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) {
      const tenth = Math.floor(random() * 10);
      tenths[tenth] = tenths[tenth]! + 1;
    }
    t.ok(
      tenths.every(count => count > 800 && count < 1_200),
      tenths.join(' '),
    );
  }
  t.end();
});
