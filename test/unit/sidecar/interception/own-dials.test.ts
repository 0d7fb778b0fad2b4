import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { OwnDials } from '../../../../sidecar/interception/own-dials.ts';

t.test('a connection that this process dialled is known at its other end, while it lasts', async t => {
  using dials = new OwnDials();
  const server = net.createServer().listen(0, '::');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect(port, '127.0.0.1');
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[net.Socket], []];
  t.ok(dials.has(accepted), 'also where the address of the accepted one is mapped into IPv6');
  client.destroy();
  await once(client, 'close');
  t.notOk(dials.has(accepted));
  accepted.destroy();
  server.close();
});

t.test('others are not, and after the end nothing is remembered', async t => {
  const dials = new OwnDials();
  dials[Symbol.dispose]();
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[net.Socket], []];
  t.notOk(dials.has(accepted));
  for (const socket of [client, accepted]) socket.destroy();
  server.close();
});
