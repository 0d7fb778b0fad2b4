import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { Connections } from '../../../../sidecar/listener/connections.ts';

const connection = () => {
  const said: string[] = [];
  return { said, drain: () => void said.push('drain'), close: () => void said.push('close') };
};

t.test('a drain asks everyone and is over when all have ended', async t => {
  const clock = manualClock();
  const connections = new Connections();
  const [one, two] = [connection(), connection()];
  connections.add(one);
  connections.add(two);
  let over = false;
  const drained = connections.drain(1_000, clock).then(() => {
    over = true;
  });
  t.same([one.said, two.said], [['drain'], ['drain']]);
  connections.remove(one);
  await Promise.resolve();
  t.notOk(over);
  const late = connection();
  connections.add(late);
  t.same(late.said, ['drain'], 'one that comes meanwhile is asked too');
  connections.remove(two);
  connections.remove(late);
  await drained;
  t.equal(clock.pending, 0);
  t.same(one.said, ['drain'], 'nobody is closed');
});

t.test('who has not ended in time is closed', async t => {
  const clock = manualClock();
  const connections = new Connections();
  const slow = connection();
  connections.add(slow);
  const drained = connections.drain(1_000, clock);
  clock.advance(1_000);
  await drained;
  t.same(slow.said, ['drain', 'close']);
});

t.test('without connections a drain is over at once', async t => {
  const connections = new Connections();
  await connections.drain(1_000, manualClock());
  t.equal(connections.size, 0);
});
