import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { drainInOrder } from '../../../../sidecar/workers/drain-in-order.ts';

const setUp = () => {
  const clock = manualClock();
  const said: string[] = [];
  const plane = (name: string, peersMs: number) => ({
    drainFromPeers: async (withinMs: number) => {
      said.push(`${name} peers ${withinMs}`);
      clock.advance(peersMs);
    },
    drainFromApp: async (withinMs: number) => void said.push(`${name} app ${withinMs}`),
  });
  return { clock, said, planes: [plane('first', 100), plane('second', 200)] };
};

t.test('all workers end what peers have before any ends what the app has', async t => {
  const { clock, said, planes } = setUp();
  await drainInOrder(planes, 1_000, clock);
  t.same(said, ['first peers 1000', 'second peers 1000', 'first app 700', 'second app 700']);
});

t.test('an app of ours ends in between, and a quarter of the time is kept for it', async t => {
  const { clock, said, planes } = setUp();
  await drainInOrder(planes, 1_000, clock, async withinMs => void said.push(`end ${withinMs}`));
  t.same(said, ['first peers 750', 'second peers 750', 'end 700', 'first app 700', 'second app 700']);
});

t.test('there is never less than no time', async t => {
  const { clock, said, planes } = setUp();
  await drainInOrder(planes, 150, clock);
  t.same(said.slice(2), ['first app 0', 'second app 0']);
});
