import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { Listener } from '../../../../sidecar/listener/listen.ts';

t.test('a listener takes connections until it is disposed, and does not wait for those that are open', async t => {
  const sockets: net.Socket[] = [];
  const listener = await Listener.open('test', { host: '127.0.0.1', port: 0 }, socket => sockets.push(socket));
  const { host, port } = listener.address;
  t.equal(host, '127.0.0.1');
  const client = net.connect(port, host);
  await once(client, 'connect');
  await listener[Symbol.asyncDispose]();
  const late = net.connect(port, host);
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ECONNREFUSED');
  t.notOk(client.destroyed, 'what is open stays open');
  client.destroy();
  for (const socket of sockets) socket.destroy();
});

t.test('an address that is taken is an error', async t => {
  const first = await Listener.open('first', { host: '127.0.0.1', port: 0 }, () => {});
  await t.rejects(
    Listener.open('second', first.address, () => {}),
    { code: 'EADDRINUSE' },
  );
  await first[Symbol.asyncDispose]();
});

t.test('`::` takes IPv4 too', async t => {
  const listener = await Listener.open('any', { host: '::', port: 0 }, socket => socket.destroy());
  const client = net.connect(listener.address.port, '127.0.0.1');
  await once(client, 'connect');
  t.equal(client.remotePort, listener.address.port);
  client.destroy();
  await listener[Symbol.asyncDispose]();
});
