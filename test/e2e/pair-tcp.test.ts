/** Raw TCP through a pair, by the port of an upstream: whoever speaks first, half-closed, large, reset. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { patternBytes } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { waitFor } from '../support/wait-for.ts';

const open = new Set<Socket>();
/** Greets, gives back what it gets, and says goodbye when the caller has ended its side. */
const server = createServer({ allowHalfOpen: true }, socket => {
  open.add(socket);
  socket.on('close', () => open.delete(socket)).on('error', () => undefined);
  socket.write('hello\n');
  socket.on('data', chunk => {
    if (chunk.toString('latin1', 0, 5) === 'RESET') socket.resetAndDestroy();
    else if (!socket.write(chunk)) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  });
  socket.on('end', () => socket.end('bye\n'));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const appPort = (server.address() as AddressInfo).port;
const pair = await startSidecarPair({ services: [{ name: 'database', port: 5432, protocol: 'tcp', appPort }] });
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  for (const socket of open) socket.destroy();
  server.close();
});
const dial = async (): Promise<Socket> => {
  const socket = connect({ port: pair.upstream('database'), host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
};

t.test('a server that speaks first is heard', async t => {
  const socket = await dial();
  t.equal(String((await once(socket, 'data'))[0]), 'hello\n');
  socket.destroy();
});

t.test('a half-closed connection still brings the rest', async t => {
  const socket = await dial();
  socket.end('question');
  t.equal(String(Buffer.concat((await socket.toArray()) as Buffer[])), 'hello\nquestionbye\n');
});

t.test('5 MB there and back, byte for byte', async t => {
  const socket = await dial();
  const body = patternBytes(5_000_000);
  socket.end(body);
  const received = Buffer.concat((await socket.toArray()) as Buffer[]);
  t.ok(received.subarray(6, -4).equals(body), `${received.length} bytes`);
});

t.test('a reset by the app reaches the caller, and a caller that vanishes reaches the app', async t => {
  const first = await dial();
  const failure = new Promise(resolve => first.once('error', resolve));
  first.resume();
  first.write('RESET');
  t.match(await failure, { code: 'ECONNRESET' });
  const second = await dial();
  await once(second, 'data');
  await waitFor('the app to have only this one', () => open.size === 1);
  second.destroy();
  await waitFor('the app to have none', () => open.size === 0);
});
