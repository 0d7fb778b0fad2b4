import t from 'tap';
import { rulesOf } from './options.fixture.ts';

t.test('the connections of the sidecar are left alone before anything else is asked', async t => {
  const { outbound } = rulesOf({ 'proxy-uid': '998', 'include-uids': '998', 'include-cidrs': '127.0.0.0/8' });
  t.same(outbound[0], { match: { uids: [{ from: 998, to: 998 }] }, redirectTo: 'leave' });
  t.same(outbound[1]?.match, { gids: [{ from: 1_337, to: 1_337 }] });
  t.match(outbound[2]?.match.cidrs, [{ address: '127.0.0.0' }, { address: '::1' }], 'and loopback');
});

t.test('port 22 and the own ports are left alone, wherever the listeners are', async t => {
  const { inbound, outbound } = rulesOf({
    'inbound-port': '9006',
    'outbound-port': '15021',
    'exclude-inbound-ports': '23',
  });
  const left = inbound.filter(({ redirectTo }) => redirectTo === 'leave').flatMap(({ match }) => match.ports ?? []);
  t.same(left, [
    { from: 22, to: 23 },
    { from: 9_006, to: 9_006 },
    { from: 15_000, to: 15_021 },
  ]);
  t.same(outbound.at(-2), { match: { ports: [{ from: 22, to: 22 }] }, redirectTo: 'leave' });
});

t.test('what is left alone stands before what is taken, which is one rule', async t => {
  const flags = {
    'exclude-cidrs': '10.0.0.0/8',
    'exclude-interfaces': 'eth1',
    'exclude-uids': '1',
    'exclude-gids': '2',
  };
  const { inbound, outbound } = rulesOf(flags);
  for (const rules of [inbound, outbound]) {
    t.equal(
      rules.findIndex(({ redirectTo }) => redirectTo !== 'leave'),
      rules.length - 1,
    );
    t.same(rules.at(-1)?.match, {});
  }
});

t.test('a user or a group is enough to be meant', async t => {
  const taken = rulesOf({ 'include-uids': '1', 'include-gids': '2', 'include-cidrs': '::/0' }).outbound.slice(-2);
  t.match(taken, [
    { match: { uids: [{ from: 1 }], cidrs: [{ address: '::' }] }, redirectTo: 15_001 },
    { match: { gids: [{ from: 2 }], cidrs: [{ address: '::' }] }, redirectTo: 15_001 },
  ]);
  t.same(taken[0]?.match.gids, undefined);
});

t.test('an empty list of what is taken takes nothing', async t => {
  const { inbound, outbound } = rulesOf({ 'inbound-ports': 'none', 'outbound-ports': 'none' });
  t.ok([...inbound, ...outbound].every(({ redirectTo }) => redirectTo === 'leave'));
});
