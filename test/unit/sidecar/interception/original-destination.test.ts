import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { originalDestination, parseIPv4, parseIPv6 } from '../../../../sidecar/interception/original-destination.ts';

t.test('addresses are read as the kernel writes them', t => {
  t.same(parseIPv4(Buffer.from('02000050' + '0a600005', 'hex')), { host: '10.96.0.5', port: 80 });
  const ipv6 = Buffer.from(`0a001f9000000000fd770000000000000000000000000003${'00000000'}`, 'hex');
  t.same(parseIPv6(ipv6), { host: 'fd77::3', port: 8080 });
  t.end();
});

t.test(
  'a connection that nobody redirected has no other destination',
  { skip: process.platform !== 'linux' && 'needs Linux' },
  async t => {
    const ask = originalDestination();
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const client = net.connect(port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    // Where the kernel keeps track of connections for anybody, it says what we know already.
    t.match(ask(accepted) ?? { host: '127.0.0.1', port }, { host: '127.0.0.1', port });
    accepted.destroy();
    t.equal(ask(accepted), undefined, 'a closed one neither');
    client.destroy();
    server.close();
  },
);
