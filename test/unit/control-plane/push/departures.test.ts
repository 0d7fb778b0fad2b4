import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { Departures } from '../../../../control-plane/push/departures.ts';
import type { SidecarSession } from '../../../../control-plane/push/sidecar-session.ts';

const setUp = () => {
  const clock = manualClock();
  const gone: string[] = [];
  const session = (name: string) => ({ gone: () => void gone.push(name) }) as unknown as SidecarSession;
  return { clock, departures: new Departures(clock), gone, session };
};

t.test('a sidecar may go when all who were told have confirmed', t => {
  const { clock, departures, gone, session } = setUp();
  const [one, two, other] = [session('one'), session('two'), session('other')];
  departures.begin('default/a', session('a'));
  departures.upToDate(one);
  t.same(gone, [], 'what was confirmed before its removal does not count');
  departures.removed('default/a', [one, two]);
  departures.upToDate(one);
  departures.upToDate(other);
  t.same(gone, []);
  departures.upToDate(two);
  t.same(gone, ['a']);
  departures.upToDate(two);
  clock.advance(10_000);
  t.same(gone, ['a'], 'once');
  t.equal(clock.pending, 0);
  t.end();
});

t.test('it may go at once when nobody is told, and after a second in any case', t => {
  const { clock, departures, gone, session } = setUp();
  departures.begin('default/a', session('a'));
  departures.removed('default/b', []);
  departures.removed('default/a', []);
  t.same(gone, ['a']);
  departures.begin('default/c', session('c'));
  departures.removed('default/c', [session('silent')]);
  departures.begin('default/d', session('d'));
  clock.advance(999);
  t.same(gone, ['a']);
  clock.advance(1);
  t.same(gone, ['a', 'c', 'd'], 'one was silent, one was not in the store');
  departures.begin('default/e', session('e'));
  departures.close();
  t.equal(clock.pending, 0);
  t.end();
});
