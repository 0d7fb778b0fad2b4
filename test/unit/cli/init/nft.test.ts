import t from 'tap';
import { findTables, renderNft } from '../../../../cli/init/nft.ts';
import { rulesOf } from './options.fixture.ts';

t.test('without flags', async t => {
  t.equal(
    renderNft(rulesOf(), true),
    `table inet outrider {
  chain inbound {
    type nat hook prerouting priority -100; policy accept;
    fib daddr type != local return
    tcp dport { 22, 15000-15020 } return
    tcp flags & (fin | syn | rst | ack) == syn counter redirect to :15006
  }
  chain outbound {
    type nat hook output priority -100; policy accept;
    meta skuid 1337 return
    meta skgid 1337 return
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1/128 return
    tcp dport 22 return
    tcp flags & (fin | syn | rst | ack) == syn counter redirect to :15001
  }
}
`,
  );
});

t.test('each list is a set, each IP family a rule', async t => {
  const rules = rulesOf({
    'include-cidrs': '10.0.0.0/8,192.168.0.0/16,fd00::/8',
    'outbound-ports': '80,8000-8100',
    'exclude-interfaces': 'eth1,eth2',
    'include-gids': '5,7',
  });
  const lines = renderNft(rules, true).split('\n');
  t.match(lines, [/./, /./, /./, /./, /^ {4}iifname \{ "eth1", "eth2" \} return$/]);
  t.same(
    lines.filter(line => line.includes(':15001')).map(line => line.trim()),
    [
      'ip daddr { 10.0.0.0/8, 192.168.0.0/16 } tcp dport { 80, 8000-8100 } meta skgid { 5, 7 } tcp flags & (fin | syn | rst | ack) == syn counter redirect to :15001',
      'ip6 daddr fd00::/8 tcp dport { 80, 8000-8100 } meta skgid { 5, 7 } tcp flags & (fin | syn | rst | ack) == syn counter redirect to :15001',
    ],
  );
});

t.test('without IPv6 nothing in it needs IPv6', async t => {
  const text = renderNft(rulesOf({ 'exclude-cidrs': 'fd00::/8' }), false);
  t.match(text, /^table ip outrider \{\n/);
  t.notMatch(text, /ip6|inet|fd00/);
});

t.test('only our tables are ours', async t => {
  t.same(
    findTables('table ip nat\ntable inet outrider\ntable inet outrider2\ntable ip outrider\ntable bridge outrider\n'),
    ['table inet outrider', 'table ip outrider'],
  );
  t.same(findTables(''), []);
});
