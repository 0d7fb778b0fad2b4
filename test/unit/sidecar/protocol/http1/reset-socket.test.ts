import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import t from 'tap';
import { resetSocket } from '../../../../../sidecar/protocol/http1/reset-socket.ts';

t.test('a TCP peer sees a reset', async t => {
  const server = net.createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  resetSocket(accepted);
  resetSocket(accepted);
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ECONNRESET');
});

t.test('a local socket is only closed', async t => {
  // Not `t.testdir()`: the path of a socket must be short.
  const folder = mkdtempSync(join(tmpdir(), 'socket-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 's');
  const server = net.createServer().listen(path);
  t.teardown(() => server.close());
  await once(server, 'listening');
  const client = net.connect(path).resume();
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  resetSocket(accepted);
  await once(client, 'close');
  t.equal(accepted.destroyed, true);
});

t.test('any other stream is destroyed', t => {
  const stream = new Duplex({ read() {}, write() {} });
  resetSocket(stream);
  t.equal(stream.destroyed, true);
  t.end();
});
