import t from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { MAX_WAITING, Subscriptions } from '../../../../sidecar/discovery/subscriptions.ts';

const setUp = (more: { started?: boolean; inUse?: (service: string) => boolean } = {}) => {
  const clock = manualClock();
  const sent: string[] = [];
  const subscriptions = new Subscriptions({
    clock,
    send: (type, names) => sent.push(`${type} ${names.join()}`),
    inUse: more.inUse ?? (() => false),
    started: () => more.started ?? true,
  });
  return { clock, sent, subscriptions };
};

t.test('the first request asks, those behind it wait for the same answer', t => {
  const { sent, subscriptions } = setUp();
  const results: string[] = [];
  t.equal(subscriptions.lookup('a.b'), 'unknown');
  subscriptions.wait('a.b', result => results.push(result));
  subscriptions.wait('a.b', result => results.push(result));
  t.same(sent, ['subscribe a.b']);
  subscriptions.answered({ 'a.b': 'a.b' });
  t.same(results, ['known', 'known']);
  t.equal(subscriptions.lookup('a.b'), 'known');
  t.end();
});

t.test('nobody waits longer than a second, or 30 s before the first snapshot', t => {
  for (const started of [true, false]) {
    const { clock, subscriptions } = setUp({ started });
    const results: string[] = [];
    subscriptions.wait('a.b', result => results.push(result));
    clock.advance(started ? 999 : 29_999);
    t.same(results, []);
    clock.advance(1);
    t.same(results, ['timeout']);
  }
  t.end();
});

t.test('who gives up is not called any more', t => {
  const { clock, subscriptions } = setUp();
  const giveUp = subscriptions.wait('a.b', () => t.fail('called'));
  giveUp();
  giveUp();
  subscriptions.answered({ 'a.b': 'a.b' });
  clock.advance(2_000);
  t.end();
});

t.test('at most 1,000 wait; the next is told at once, and again there is room when they are done', t => {
  const { subscriptions } = setUp();
  const results: string[] = [];
  for (let i = 0; i < MAX_WAITING; i++) subscriptions.wait(`a${i % 3}.b`, result => results.push(result));
  subscriptions.wait('a.b', result => results.push(result));
  t.same(results, ['overloaded']);
  subscriptions.answered({ 'a0.b': null });
  t.equal(results.filter(result => result === 'not-in-mesh').length, 334);
  subscriptions.wait('a.b', () => t.fail('answered'));
  t.end();
});

t.test('"not in the mesh" holds for 30 s and is then asked again; a push revokes it before', t => {
  const { clock, sent, subscriptions } = setUp();
  subscriptions.wait('a.b', () => {});
  subscriptions.answered({ 'a.b': null });
  t.equal(subscriptions.lookup('a.b'), 'not-in-mesh');
  clock.advance(29_999);
  t.equal(subscriptions.lookup('a.b'), 'not-in-mesh');
  subscriptions.answered({ 'a.b': 'a.b' });
  t.equal(subscriptions.lookup('a.b'), 'known');
  subscriptions.answered({ 'a.b': null });
  clock.advance(30_000);
  t.equal(subscriptions.lookup('a.b'), 'unknown');
  subscriptions.wait('a.b', () => {});
  t.same(sent, ['subscribe a.b', 'unsubscribe a.b', 'subscribe a.b']);
  t.end();
});

t.test('a subscription ends after ten minutes without use; pinned ones and those in use stay', t => {
  const { clock, sent, subscriptions } = setUp({ inUse: service => service === 'used.b' });
  subscriptions.add('pinned.b', undefined, true);
  subscriptions.add('used.b', 'used.b', false);
  subscriptions.add('idle.b', 'idle.b', false);
  subscriptions.add('looked.b', 'looked.b', false);
  clock.advance(590_000);
  subscriptions.lookup('looked.b');
  clock.advance(30_000);
  t.same(sent, ['unsubscribe idle.b']);
  clock.advance(600_000);
  t.same(subscriptions.names, ['pinned.b', 'used.b']);
  subscriptions[Symbol.dispose]();
  t.equal(clock.pending, 0);
  t.end();
});

t.test('of 2,000 subscriptions the least useful makes room; when all are in use there is none', t => {
  const { clock, sent, subscriptions } = setUp();
  for (let i = 0; i < 1_999; i++) subscriptions.add(`a${i}.b`, `a${i}.b`, false);
  subscriptions.wait('no.b', () => {});
  subscriptions.answered({ 'no.b': null });
  clock.advance(10);
  subscriptions.lookup('a0.b');
  subscriptions.wait('new.b', () => {});
  t.same(sent, ['subscribe no.b', 'unsubscribe no.b', 'subscribe new.b'], 'what is not in the mesh goes first');
  subscriptions.wait('newer.b', () => {});
  t.same(sent.slice(3), ['unsubscribe a1.b', 'subscribe newer.b'], 'then what was used longest ago');
  const busy = setUp({ inUse: () => true });
  for (let i = 0; i < 2_000; i++) busy.subscriptions.add(`a${i}.b`, `a${i}.b`, false);
  let result = '';
  busy.subscriptions.wait('new.b', given => {
    result = given;
  });
  t.equal(result, 'overloaded');
  t.end();
});
