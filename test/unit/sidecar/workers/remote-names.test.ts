import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { Watched } from '../../../../common/watch.ts';
import type { WaitResult } from '../../../../sidecar/discovery/discovery.ts';
import { EMPTY_SNAPSHOT } from '../../../../sidecar/discovery/snapshot-store.ts';
import { MAX_WAITING } from '../../../../sidecar/discovery/subscriptions.ts';
import { RemoteNames } from '../../../../sidecar/workers/remote-names.ts';

const withService = (name: string) => ({
  ...EMPTY_SNAPSHOT,
  configVersion: '1',
  services: [{ name, namespace: 'shop', addresses: [], ports: [], endpoints: [] }],
});

const setUp = (controlled = true) => {
  const clock = manualClock();
  const snapshots = new Watched(withService('web'));
  const said: string[] = [];
  const names = new RemoteNames({
    snapshots,
    namespace: 'shop',
    controlled,
    find: target => void said.push(`find ${target}`),
    use: target => void said.push(`use ${target}`),
    clock,
  });
  const results: WaitResult[] = [];
  const wait = (target: string) => names.wait(target, result => void results.push(result));
  return { clock, snapshots, said, names, results, wait };
};

t.test('what the snapshot has is known, and the first thread hears now and then that it is used', t => {
  const { clock, said, names } = setUp();
  for (let i = 0; i < 100; i++) t.equal(names.lookup('WEB.shop:80'), 'known');
  t.same(said, ['use web.shop']);
  clock.advance(10_000);
  t.equal(names.lookup('web'), 'known');
  t.same(said, ['use web.shop', 'use web.shop']);
  t.end();
});

t.test('the first thread is asked once for all who wait, and its answer holds for a while', t => {
  const { clock, said, names, results, wait } = setUp();
  t.equal(names.lookup('other'), 'unknown');
  wait('other');
  wait('other.shop:80');
  t.same(said, ['find other.shop']);
  names.found('other.shop', 'not-in-mesh');
  t.same(results, ['not-in-mesh', 'not-in-mesh']);
  t.equal(names.lookup('other'), 'not-in-mesh');
  clock.advance(5_000);
  t.equal(names.lookup('other'), 'unknown');
  t.end();
});

t.test('a service that comes is known at once, whatever was answered before', t => {
  const { snapshots, names } = setUp();
  names.found('other.shop', 'not-in-mesh');
  snapshots.set(withService('other'));
  t.equal(names.lookup('other'), 'known');
  t.end();
});

t.test('no answer in time is told to those who wait, and not remembered', t => {
  const { names, results, wait } = setUp();
  wait('other');
  names.found('other.shop', 'timeout');
  t.same(results, ['timeout']);
  t.equal(names.lookup('other'), 'unknown');
  t.end();
});

t.test('who no longer waits is not told', t => {
  const { names, results, wait } = setUp();
  const stop = wait('other');
  const stopOther = names.wait('other', () => stop());
  stopOther();
  stop();
  stop();
  names.found('other.shop', 'known');
  t.same(results, []);
  t.end();
});

t.test('too many who wait are sent away, and make room when they are told', t => {
  const { names, results, wait } = setUp();
  for (let i = 0; i < MAX_WAITING; i++) wait('other');
  t.same(results, []);
  wait('other');
  t.same(results, ['overloaded']);
  names.found('other.shop', 'known');
  t.equal(results.length, MAX_WAITING + 1);
  wait('third');
  t.equal(results.length, MAX_WAITING + 1);
  t.end();
});

t.test('what can be no name of the mesh is not asked for', t => {
  const { said, names, results, wait } = setUp();
  t.equal(names.lookup('www.example.com'), 'not-in-mesh');
  wait('www.example.com');
  t.same(results, ['not-in-mesh']);
  t.same(said, []);
  t.end();
});

t.test('without a control plane the snapshot is all there is', t => {
  const { said, names } = setUp(false);
  t.equal(names.lookup('web'), 'known');
  t.equal(names.lookup('other'), 'not-in-mesh');
  t.same(said, []);
  t.end();
});
