import t from 'tap';
import { formatCidr, parseCidrs } from '../../../../cli/init/cidrs.ts';

const read = (text: string): readonly string[] | undefined => parseCidrs(text)?.map(formatCidr);

t.test('addresses and networks of both families', async t => {
  t.same(read('10.1.2.3, 192.168.0.0/16'), ['192.168.0.0/16', '10.1.2.3/32']);
  t.same(read('::1,fd00::/8'), ['fd00::/8', '::1/128']);
  t.match(parseCidrs('fd00::/8'), [{ family: 'ipv6', address: 'fd00::', prefix: 8 }]);
});

t.test('a network within another is left out', async t => {
  t.same(read('10.1.0.0/16,10.0.0.0/8,10.1.2.3,11.0.0.1'), ['10.0.0.0/8', '11.0.0.1/32']);
  t.same(read('fd00:1::/32,fd00::/8,10.0.0.0/8,10.0.0.0/8'), ['fd00::/8', '10.0.0.0/8']);
  t.same(read('0.0.0.0/0,::/0,1.1.1.1,fe80::1'), ['0.0.0.0/0', '::/0'], 'of the same family');
  t.same(read('1.2.0.0/16,::ffff:1.2.3.4'), ['1.2.0.0/16', '::ffff:1.2.3.4/128'], 'whatever the address stands for');
});

t.test('anything else is refused', async t => {
  for (const text of [
    '',
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    'example.com',
    '10.0.0.0/',
    '10.0.0.0/8,',
    'fe80::1%eth0',
  ])
    t.equal(parseCidrs(text), undefined, text);
});
