/** WebSocket through a pair, with `ws` on both ends. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { patternBytes } from '../support/http-app.ts';
import { startPair } from '../support/pair.ts';

const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  handleProtocols: protocols => [...protocols][0] ?? false,
});
await once(server, 'listening');
let opened = 0;
server.on('connection', socket => {
  opened++;
  socket.on('message', (data: Buffer, isBinary) => {
    const text = data.toString();
    if (text === 'close') socket.close(4001, 'as asked');
    else if (text === 'vanish') socket.terminate();
    else socket.send(data, { binary: isBinary });
  });
});
const appPort = (server.address() as AddressInfo).port;
const pair = await startPair({ services: [{ name: 'chat', port: 80, protocol: 'http', appPort }] });
t.teardown(async () => {
  for (const client of server.clients) client.terminate();
  server.close();
  await pair[Symbol.asyncDispose]();
});

const open = async (protocols: string[] = []): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${pair.outbound}/chat?room=1`, protocols, { headers: { host: 'chat' } });
  await once(socket, 'open');
  return socket;
};

t.test('the handshake crosses, subprotocol included', async t => {
  const socket = await open(['outrider.test', 'other']);
  t.equal(socket.protocol, 'outrider.test');
  t.equal(opened, 1, 'the app saw one connection');
  socket.terminate();
});

t.test('messages of 0 B to 1 MB come back unchanged', async t => {
  const socket = await open();
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
    const message = patternBytes(size);
    socket.send(message);
    const [echo, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    t.ok(isBinary && echo.equals(message), `${size} bytes`);
  }
  socket.send('Grüße');
  t.equal(String((await once(socket, 'message'))[0]), 'Grüße');
  socket.terminate();
});

t.test('fragments and hundred messages in a row keep their order', async t => {
  const socket = await open();
  socket.send('one ', { fin: false });
  socket.send('two ', { fin: false });
  socket.send('three', { fin: true });
  t.equal(String((await once(socket, 'message'))[0]), 'one two three');
  const received: string[] = [];
  const all = new Promise<void>(resolve => {
    socket.on('message', (data: Buffer) => {
      if (received.push(String(data)) === 100) resolve();
    });
  });
  for (let i = 0; i < 100; i++) socket.send(String(i));
  await all;
  t.same(
    received,
    Array.from({ length: 100 }, (_, i) => String(i)),
  );
  socket.terminate();
});

t.test('a ping is answered by the far end', async t => {
  const socket = await open();
  socket.ping('still there?');
  t.equal(String((await once(socket, 'pong'))[0]), 'still there?');
  socket.terminate();
});

t.test('close code 4001 and its reason cross from the app', async t => {
  const socket = await open();
  socket.send('close');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  t.equal(code, 4001);
  t.equal(String(reason), 'as asked');
});

t.test('close code 4002 crosses to the app', async t => {
  const closed = once(server, 'connection').then(([socket]) => once(socket as WebSocket, 'close'));
  const socket = await open();
  socket.close(4002, 'bye');
  const [code, reason] = (await closed) as [number, Buffer];
  t.equal(code, 4002);
  t.equal(String(reason), 'bye');
});

t.test('when one end vanishes the other learns of it', async t => {
  const first = await open();
  first.send('vanish');
  t.equal((await once(first, 'close'))[0], 1006, 'the app is gone');
  const closed = once(server, 'connection').then(([socket]) => once(socket as WebSocket, 'close'));
  const second = await open();
  second.terminate();
  t.equal((await closed)[0], 1006, 'the client is gone');
});

t.test('a request that is no upgrade gets the answer of the app', async t => {
  const response = await fetch(`http://127.0.0.1:${pair.upstream('chat')}/chat`);
  t.equal(response.status, 426);
});
