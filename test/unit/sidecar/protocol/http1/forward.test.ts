import { once } from 'node:events';
import t from 'tap';
import { proxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { Fields, RequestHead } from '../../../../../sidecar/protocol/head.ts';
import { RecordingClient } from './recorders.ts';

const head = (method = 'GET', path = '/', fields: Fields = new Fields([]), protocol = ''): RequestHead =>
  new RequestHead(method, 'http', 'a', path, fields, protocol);
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

t.test('a request is written and its response read, one after the other on one connection', async t => {
  const client = await RecordingClient.start(t);
  for (let i = 1; i <= 5; i++) {
    t.equal(client.connection.idle, true);
    const { response } = client.request(head('GET', `/${i}`, new Fields(['accept', '*/*'])), [
      'x-request-id',
      String(i),
    ]);
    t.equal(client.connection.idle, false);
    const expected = `GET /${i} HTTP/1.1\r\nhost: a\r\naccept: */*\r\nx-request-id: ${i}\r\n\r\n`;
    await client.until(() => client.received.length >= expected.length);
    t.equal(client.received, expected);
    client.received = '';
    client.peer.write(`HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: ${i}\r\n\r\n${'x'.repeat(i)}`);
    await client.until(() => client.idle === i);
    t.match(response, {
      status: 200,
      ended: true,
      body: 'x'.repeat(i),
      list: ['server', 'x'],
      volatile: ['content-length', String(i)],
    });
    t.equal(response.shape, '1.1;Server,Content-Length');
  }
  t.equal(client.account.held, 0);
});

t.test('framing of requests', async t => {
  const body = Buffer.from('hello');
  const none = Buffer.alloc(0);
  const client = await RecordingClient.start(t);
  const write = async (expected: string, run: () => void): Promise<void> => {
    client.received = '';
    const idle = client.idle;
    run();
    await client.until(() => client.received.length >= expected.length);
    t.equal(client.received, expected);
    client.peer.write('HTTP/1.1 204 No Content\r\n\r\n');
    await client.until(() => client.idle > idle);
  };
  await write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello', () =>
    client.request(head('POST'), ['content-length', '5'], false).upstream.sendData(body, true),
  );
  await write('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', () =>
    client.request(head('POST'), [], false).upstream.sendData(body, true),
  );
  await write('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: 1\r\n\r\n', () => {
    const { upstream } = client.request(head('POST'), [], false);
    upstream.sendData(body, false);
    upstream.sendTrailers(['x', '1']);
  });
  await write('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', () =>
    client.request(head('POST'), [], false).upstream.sendData(none, true),
  );
  await write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n', () => client.request(head('POST')));
  await write('POST / HTTP/1.1\r\nHost: a\r\n\r\n', () =>
    client.request(head('POST', '/', new Fields([], '1.1;Host'))),
  );
  await write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n', () =>
    client.request(head('POST', '/', new Fields([], '1.1;Host,Content-Length')), ['content-length', '0']),
  );
  await write('DELETE / HTTP/1.1\r\nhost: a\r\n\r\n', () => client.request(head('DELETE')));
  const text = 'x'.repeat(10_000);
  const big = Buffer.from(text);
  await write(
    `PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2710\r\n${text}\r\n2710\r\n${text}\r\n0\r\n\r\n`,
    () => {
      const { upstream } = client.request(head('PUT'), [], false);
      upstream.sendData(big, false);
      upstream.sendData(big, true);
    },
  );
});

t.test('a head goes out by itself when the body takes its time', async t => {
  const client = await RecordingClient.start(t);
  const { upstream, response } = client.request(head('POST'), ['content-length', '5'], false);
  await client.until(() => client.received.endsWith('\r\n\r\n'));
  upstream.sendData(Buffer.from('hello'), true);
  await client.until(() => client.received.endsWith('hello'));
  t.equal(response.written, 5, 'and the credit comes back');
});

t.test('bodies of responses', async t => {
  const cases: readonly (readonly [string, string, { body: string; trailers?: string[] }, boolean])[] = [
    ['by length', OK, { body: 'hello' }, true],
    [
      'chunked',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      { body: 'hello' },
      true,
    ],
    [
      'chunked with trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n',
      { body: '', trailers: ['x', '1'] },
      true,
    ],
    ['of length 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { body: '' }, true],
    ['none with 204', 'HTTP/1.1 204 No Content\r\n\r\n', { body: '' }, true],
    [
      'none with 304, whatever the length',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
      { body: '' },
      true,
    ],
    ['the server closes after it', OK.replace('OK\r\n', 'OK\r\nConnection: close\r\n'), { body: 'hello' }, false],
    ['HTTP/1.0', OK.replace('1.1', '1.0'), { body: 'hello' }, false],
    [
      'HTTP/1.0 with keep-alive',
      OK.replace('1.1', '1.0').replace('OK\r\n', 'OK\r\nConnection: Keep-Alive\r\n'),
      { body: 'hello' },
      true,
    ],
    ['bytes after it', `${OK}HTTP/1.1 200 OK\r\n\r\n`, { body: 'hello' }, false],
    ['bytes after none', 'HTTP/1.1 204 No Content\r\n\r\nx', { body: '' }, false],
  ];
  for (const [name, text, expected, reusable] of cases) {
    for (const parts of [[text], text.split('')]) {
      if (name.startsWith('bytes after') && parts.length > 1) continue;
      const client = await RecordingClient.start(t);
      const { response } = client.request(head());
      for (const part of parts) {
        client.peer.write(part);
        if (parts.length > 1) await new Promise(resolve => setImmediate(resolve));
      }
      await client.until(() => client.idle + client.closed === 1);
      t.match(response, { ...expected, ended: true, reset: undefined }, name);
      t.equal(client.idle === 1, reusable, `${name}: ${reusable ? 'reused' : 'not reused'}`);
      t.equal(client.account.held, 0);
    }
  }
});

t.test('HEAD has no body, but its length', async t => {
  const client = await RecordingClient.start(t);
  const { response } = client.request(head('HEAD'));
  client.peer.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
  await client.until(() => client.idle === 1);
  t.match(response, { ended: true, body: '', volatile: ['content-length', '5'] });
});

t.test('a body that ends with the connection is whole at its end', async t => {
  const client = await RecordingClient.start(t);
  const { response } = client.request(head());
  client.peer.end('HTTP/1.1 200 OK\r\n\r\nhello');
  await client.until(() => client.closed === 1);
  t.match(response, { body: 'hello', ended: true, reset: undefined });
  t.equal(client.idle, 0);
});

t.test('a broken response is reset, never ended, and its connection is not used again', async t => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['short', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello', 'UPSTREAM_CLOSED', 'body_cut_short'],
    [
      'short chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      'UPSTREAM_CLOSED',
      'body_cut_short',
    ],
    ['bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n', 'UPSTREAM_PROTOCOL', 'bad_chunk'],
    ['bad head', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n', 'UPSTREAM_PROTOCOL', 'space_before_colon'],
    ['no HTTP', '\x00\x01', 'UPSTREAM_PROTOCOL', 'control_character'],
    ['long head', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(12_000)}`, 'UPSTREAM_PROTOCOL', 'head_too_large'],
    [
      '101 that was not asked for',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
      'UPSTREAM_PROTOCOL',
      'unexpected_101',
    ],
    ['endless 1xx', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(33), 'UPSTREAM_PROTOCOL', 'too_many_informational'],
    ['nothing', '', 'UPSTREAM_CLOSED', 'connection_ended'],
    ['half a head', 'HTTP/1.1 200', 'UPSTREAM_CLOSED', 'connection_ended'],
  ];
  for (const [name, text, code, detail] of cases) {
    const client = await RecordingClient.start(t);
    const { response } = client.request(head());
    await client.until(() => client.received.endsWith('\r\n\r\n'));
    client.peer.end(text, 'latin1');
    await client.until(() => client.closed === 1);
    t.match(response, { ended: false, reset: { code, detail } }, name);
    t.equal(client.idle, 0);
    t.equal(client.account.held, 0);
    if (code === 'UPSTREAM_CLOSED') t.equal(response.reset?.retry, 'if-idempotent');
  }
});

t.test('1xx are passed on before the response', async t => {
  const client = await RecordingClient.start(t);
  const { response } = client.request(
    head('POST', '/', new Fields(['expect', '100-continue'])),
    ['content-length', '5'],
    false,
  );
  await client.until(() => client.received.includes('expect: 100-continue'));
  client.peer.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`);
  await client.until(() => response.over);
  t.same(response.informationals, [100, 103]);
  t.match(response, { status: 200, body: 'hello' });
});

t.test('an answer before the end of the request is whole, but the connection is not used again', async t => {
  const client = await RecordingClient.start(t);
  const { response, upstream } = client.request(head('POST'), ['content-length', '50'], false);
  upstream.sendData(Buffer.from('some'), false);
  client.peer.write(OK);
  await client.until(() => client.closed === 1);
  t.match(response, { status: 200, body: 'hello', ended: true, reset: undefined });
  upstream.sendData(Buffer.from('more'), false);
  upstream.reset(proxyError('DOWNSTREAM_RESET', 'late'));
  t.equal(client.closed, 1);
});

t.test('an idle connection that the server ends, resets or talks on is discarded', async t => {
  for (const run of [
    (client: RecordingClient) => client.peer.end(),
    (client: RecordingClient) => client.peer.resetAndDestroy(),
    (client: RecordingClient) => client.peer.write('HTTP/1.1 408 Request Timeout\r\n\r\n'),
  ]) {
    const client = await RecordingClient.start(t);
    run(client);
    await client.until(() => client.closed === 1);
    t.equal(client.connection.idle, false);
    const { response } = client.request(head());
    t.match(response.reset, { code: 'UPSTREAM_CLOSED', retry: 'not-sent' });
  }
});

t.test('a request that the kernel refused was not sent', async t => {
  const client = await RecordingClient.start(t);
  const socket = Reflect.get(client.connection, 'socket') as import('node:net').Socket;
  socket.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' }));
  t.pass('an error alone closes nothing');
  const { response } = client.request(head());
  socket.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' }));
  await client.until(() => client.closed === 1);
  t.match(response.reset, { code: 'UPSTREAM_CLOSED', cause: 'EPIPE', retry: 'not-sent' });
});

t.test('a request whose head still waits was not sent', async t => {
  const client = await RecordingClient.start(t);
  const { response } = client.request(head('POST'), [], false);
  client.connection.close();
  t.match(response.reset, { code: 'UPSTREAM_CLOSED', detail: 'connection_closed', retry: 'not-sent' });
  t.equal(client.closed, 1);
});

t.test('a reset by the exchange closes the connection, after the end it does nothing', async t => {
  const client = await RecordingClient.start(t);
  const first = client.request(head());
  client.peer.write(OK);
  await client.until(() => client.idle === 1);
  first.upstream.reset(proxyError('DOWNSTREAM_RESET', 'late'));
  first.upstream.sendData(Buffer.from('x'), true);
  t.equal(client.connection.idle, true);
  const second = client.request(head());
  second.upstream.reset(proxyError('DEADLINE_EXCEEDED', 'x'));
  t.equal(client.closed, 1);
  t.equal(second.response.reset, undefined, 'who resets is not told');
  await client.until(() => client.received.endsWith('<end>'));
});

t.test('what can not be written safely is refused, and the connection stays good', async t => {
  const client = await RecordingClient.start(t);
  const bad: readonly (readonly [RequestHead, string[], boolean])[] = [
    [head('GET', '/ HTTP/1.1\r\nX: y'), [], true],
    [head('G ET'), [], true],
    [head('CONNECT', ''), [], true],
    [new RequestHead('GET', 'http', 'a\r\nb', '/', new Fields([])), [], true],
    [head(), ['x-request-id', 'a\nb'], true],
    [head('POST'), ['content-length', '5', 'content-length', '6'], false],
    [head('POST'), ['content-length', '5'], true],
  ];
  for (const [request, volatile, end] of bad) {
    t.match(client.request(request, volatile, end).response.reset, {
      code: 'DOWNSTREAM_PROTOCOL',
      detail: 'head_not_writable',
    });
    t.equal(client.connection.idle, true);
  }
  t.equal(client.received, '');
});

t.test('a request body that is not what was announced is never completed', async t => {
  for (const data of ['too long', 'x']) {
    const client = await RecordingClient.start(t);
    const { response, upstream } = client.request(head('POST'), ['content-length', '5'], false);
    upstream.sendData(Buffer.from(data), true);
    t.match(response.reset, { code: 'DOWNSTREAM_PROTOCOL', detail: 'body_length_mismatch' });
    t.equal(client.closed, 1);
    await client.until(() => client.received.endsWith('<end>'));
    t.notMatch(client.received, data);
  }
});

t.test('an Upgrade that is granted makes both directions raw', async t => {
  const client = await RecordingClient.start(t);
  const { response, upstream } = client.request(
    head('GET', '/chat', new Fields(['sec-websocket-key', 'x']), 'websocket'),
    [],
    false,
  );
  upstream.sendData(Buffer.from('early '), false);
  await client.until(() => client.received.endsWith('\r\n\r\n'));
  t.equal(
    client.received,
    'GET /chat HTTP/1.1\r\nhost: a\r\nsec-websocket-key: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n',
  );
  client.peer.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\nHTTP/1.1',
  );
  await client.until(() => response.body === 'HTTP/1.1');
  t.match(response, { status: 101, list: ['sec-websocket-accept', 'y'], ended: false });
  upstream.sendData(Buffer.from('late'), true);
  await client.until(() => client.received.endsWith('early late<end>'));
  client.peer.end(' bye');
  await client.until(() => client.closed === 1);
  t.match(response, { body: 'HTTP/1.1 bye', ended: true, reset: undefined });
  t.equal(client.idle, 0);
});

t.test('a raw connection that breaks is reset', async t => {
  const client = await RecordingClient.start(t);
  const { response } = client.request(head('GET', '/', new Fields([]), 'x'), [], false);
  client.peer.write('HTTP/1.1 101 x\r\n\r\n');
  await client.until(() => response.status === 101);
  client.peer.resetAndDestroy();
  await client.until(() => client.closed === 1);
  t.match(response, { ended: false, reset: { code: 'UPSTREAM_CLOSED', cause: 'ECONNRESET' } });
});

t.test('a raw connection that the exchange resets is reset', async t => {
  const client = await RecordingClient.start(t);
  const { response, upstream } = client.request(head('GET', '/', new Fields([]), 'x'), [], false);
  client.peer.write('HTTP/1.1 101 x\r\n\r\n');
  await client.until(() => response.status === 101);
  const failed = once(client.peer, 'error');
  upstream.reset(proxyError('DOWNSTREAM_RESET', 'x'));
  t.match(await failed, [{ code: 'ECONNRESET' }]);
  t.equal(client.closed, 1);
});

t.test('an Upgrade that is not granted leaves a connection that can be used again', async t => {
  const client = await RecordingClient.start(t);
  const { response, upstream } = client.request(head('GET', '/', new Fields([]), 'websocket'), [], false);
  client.peer.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nn');
  await client.until(() => response.status === 403);
  upstream.sendData(Buffer.from('dropped'), false);
  upstream.sendData(Buffer.alloc(0), true);
  client.peer.write('o');
  await client.until(() => client.idle === 1);
  t.match(response, { status: 403, body: 'no', ended: true });
  client.request(head('GET', '/2'));
  await client.until(() => client.received.includes('/2'));
  t.notMatch(client.received, /<end>|dropped/);
});

t.test('a 2xx is no answer to an Upgrade: the connection is discarded', async t => {
  for (const status of [200, 204]) {
    const client = await RecordingClient.start(t);
    const { response } = client.request(head('GET', '/', new Fields([]), 'websocket'), [], false);
    client.peer.write(`HTTP/1.1 ${status} OK\r\nContent-Length: 0\r\n\r\n`);
    await client.until(() => client.closed === 1);
    t.match(response.reset, { code: 'UPSTREAM_PROTOCOL', detail: 'upgrade_ignored' });
  }
});

t.test('no more than a window of a response is read before it was passed on', async t => {
  const client = await RecordingClient.start(t);
  const { response, upstream } = client.request(head());
  response.consume = undefined;
  client.peer.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`);
  await client.until(() => response.body.length === 65_536);
  t.ok(client.account.held <= 65_536 * 3, `${client.account.held} bytes held`);
  for (let passed = 0; passed < 1_000_000; ) {
    const ready = response.body.length;
    upstream.responseConsumed(ready - passed);
    passed = ready;
    await client.until(() => response.body.length > passed || response.ended);
  }
  await client.until(() => client.idle === 1);
  t.equal(client.account.held, 0);
});

t.test('the next request may be begun as soon as the connection is idle', async t => {
  const client = await RecordingClient.start(t);
  const first = client.request(head());
  client.peer.write(OK);
  await client.until(() => first.response.ended && client.connection.idle);
  const second = client.request(head());
  client.peer.write(OK);
  await client.until(() => second.response.ended);
  await client.until(() => client.received.match(/GET/g)?.length === 2);
  t.equal(client.idle, 2);
});
