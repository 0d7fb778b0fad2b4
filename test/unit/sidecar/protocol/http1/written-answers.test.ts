import net from 'node:net';
import t, { type Test } from 'tap';
import { proxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { Fields, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { RawConnection, sendRaw } from '../../../../support/raw-http1.ts';
import { type RecordedRequest, RecordingServer } from './recorders.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const CLOSE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

t.test('answers with the same head and fields are written for each request as it asks for them', async t => {
  const head = new ResponseHead(200, new Fields(['server', 'x']));
  const volatile = ['content-length', '2'];
  const server = await RecordingServer.start(t, {
    onRequest: ({ downstream }) => {
      downstream.sendHead(head, volatile, false);
      downstream.sendData(Buffer.from('ok'), true);
    },
  });
  const request = (line: string, ...fields: string[]): string => [line, 'Host: a', ...fields, '', ''].join('\r\n');
  const answer = (...fields: string[]): string =>
    ['HTTP/1.1 200 OK', 'server: x', 'content-length: 2', ...fields, '', ''].join('\r\n');
  const asked =
    request('GET / HTTP/1.1').repeat(2) +
    request('HEAD / HTTP/1.1').repeat(2) +
    request('GET / HTTP/1.0', 'Connection: keep-alive').repeat(2) +
    request('GET / HTTP/1.1') +
    request('GET / HTTP/1.1', 'Connection: close');
  t.equal(
    await sendRaw(server.port, asked),
    `${answer()}ok`.repeat(2) +
      answer().repeat(2) +
      `${answer('connection: keep-alive')}ok`.repeat(2) +
      `${answer()}ok` +
      `${answer('connection: close')}ok`,
  );
});

t.test('the answers of one turn are one write, and none is lost when the client leaves', async t => {
  const server = await RecordingServer.start(t, { onRequest: request => request.answer(200, 'hello') });
  await using client = new RawConnection(server.port);
  let writes = 0;
  client.write(GET);
  await client.until(received => received.endsWith('hello'));
  const socket = server.sockets[0]!;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  socket.write = (...args: unknown[]) => {
    writes++;
    return write(...args);
  };
  client.write(GET.repeat(20));
  await client.until(received => received.split('hello').length === 22);
  t.ok(writes < 10, `${writes} writes for 20 answers`);
  t.equal((await sendRaw(server.port, GET.repeat(3) + CLOSE)).split('hello').length, 5);
});

const FIRST = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
/** What the socket of a client gets that sends all of this at once and ends. */
const received = async (port: number, sent: string): Promise<string> => {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {});
  socket.end(sent);
  await new Promise(resolve => socket.on('close', resolve));
  return text;
};

t.test('an answer that waits for the end of the turn goes out before whatever ends the connection', async t => {
  const answerFirst = (then: (server: RecordingServer, request: RecordedRequest) => void) => async (t: Test) => {
    const server: RecordingServer = await RecordingServer.start(t, {
      onRequest: request => {
        if (server.requests.length === 1) request.answer(200, 'hello');
        else then(server, request);
      },
    });
    let given = '';
    const watch = server.signal
      .until(() => server.sockets.length > 0)
      .then(() => {
        const socket = server.sockets[0]!;
        const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
        socket.write = (...args: unknown[]) => {
          given += String(args[0]);
          return write(...args);
        };
      });
    await Promise.all([watch, received(server.port, GET.repeat(2))]);
    t.ok(given.startsWith(FIRST), given);
  };
  // Its end may come in the turn of its last bytes.
  await t.test(
    'the client leaves',
    answerFirst(server => soon(() => server.sockets[0]!.emit('end'))),
  );
  await t.test(
    'the next answer breaks off',
    answerFirst((_, request) => request.downstream.reset(GONE)),
  );
});

t.test('an answer that waits goes out before the sidecar closes its connection', async t => {
  const server: RecordingServer = await RecordingServer.start(t, {
    onRequest: request => {
      request.answer(200, 'hello');
      soon(() => server.connections[0]!.close());
    },
  });
  t.equal(await received(server.port, GET), FIRST);
});

t.test('an answer that waits goes out before a tunnel begins', async t => {
  const server = await RecordingServer.start(t, {
    onRequest: request => request.answer(200, 'hello'),
    onConnect: socket => socket.end('tunnel'),
  });
  const text = await received(server.port, `${GET}CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n`);
  t.equal(text, `${FIRST}tunnel`);
});

const GONE = proxyError('UPSTREAM_RESET', 'gone');
/** Within this turn, behind what runs now. */
const soon = (action: () => void): void => void Promise.resolve().then(action);
