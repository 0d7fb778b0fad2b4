import { once } from 'node:events';
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { readIntoScratch } from '../../../common/read-into-scratch.ts';

/** A connected pair on loopback; `accepted` was given to `onAccept` before it read anything. */
const connect = async (
  test: { teardown(action: () => void): void },
  onAccept: (socket: net.Socket) => void,
): Promise<{ readonly client: net.Socket; readonly accepted: net.Socket }> => {
  const server = net.createServer({ allowHalfOpen: true }, onAccept);
  const waiting = once(server, 'connection') as Promise<[net.Socket]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [accepted] = await waiting;
  test.teardown(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
};

const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255));

t.test('the pinned Node reads accepted sockets into memory that is there already, once', async t => {
  const attached: boolean[] = [];
  await connect(t, socket => attached.push(readIntoScratch(socket), readIntoScratch(socket)));
  t.strictSame(attached, [true, false]);
});

t.test('a socket without a handle stays as it is', async t => {
  t.equal(readIntoScratch(new net.Socket()), false);
});

t.test('small and large reads arrive whole, and stay as they were when more is read', async t => {
  const chunks: Buffer[] = [];
  const { client, accepted } = await connect(t, socket => {
    readIntoScratch(socket);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  });
  const sent = [bytes(5), bytes(300), bytes(3_000_000), bytes(20_000), bytes(1)];
  for (const part of sent) {
    client.write(part);
    await setTimeout(5);
  }
  client.end();
  await once(accepted, 'end');
  t.ok(Buffer.concat(chunks).equals(Buffer.concat(sent)));
  t.ok(chunks.length > sent.length, 'in several reads');
});

t.test('what comes before anybody listens waits, and nothing overtakes it', async t => {
  const { client, accepted } = await connect(t, readIntoScratch);
  client.write(bytes(100));
  await setTimeout(20);
  client.write(bytes(200_000));
  await setTimeout(20);
  const chunks: Buffer[] = [];
  accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
  client.end(bytes(50));
  await once(accepted, 'end');
  t.ok(Buffer.concat(chunks).equals(Buffer.concat([bytes(100), bytes(200_000), bytes(50)])));
});

t.test('a paused socket reads nothing, so that its peer is held up', async t => {
  let received = 0;
  const { client, accepted } = await connect(t, socket => {
    readIntoScratch(socket);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      socket.pause();
    });
  });
  const sent = 30_000_000;
  client.write(Buffer.alloc(sent));
  await setTimeout(100);
  t.ok(received <= 65_536, `one read, ${received} bytes`);
  t.ok(client.writableLength > 0, 'the client could not write all of it');
  accepted.removeAllListeners('data');
  accepted.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  accepted.resume();
  client.end();
  await once(accepted, 'end');
  t.equal(received, sent);
});
