import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { Fields, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { RawConnection, sendRaw } from '../../../../support/raw-http1.ts';
import { type RecordedRequest, RecordingServer } from './recorders.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const CLOSE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const hello = (request: RecordedRequest): void => request.answer(200, 'hello');

t.test('a request is answered, and the connection lives on', async t => {
  const server = await RecordingServer.start(t, { onRequest: hello });
  const text = await sendRaw(server.port, GET + CLOSE);
  t.equal(
    text,
    'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello',
  );
  t.equal(server.requests.length, 2);
  await server.signal.until(() => server.closed === 1);
  t.equal(server.account.held, 0);
});

t.test('pipelined requests are handled one at a time, in order', async t => {
  const server = await RecordingServer.start(t);
  await using client = new RawConnection(server.port);
  client.write(
    'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  const first = await server.request(0);
  t.equal(server.requests.length, 1, 'the second waits');
  first.answer(200, 'one');
  const second = await server.request(1);
  t.equal(second.body, 'abc');
  t.equal(server.requests.length, 2);
  second.answer(200, 'two');
  (await server.request(2)).answer(200, 'three');
  const text = await client.until(received => received.endsWith('three'));
  t.same(text.match(/one|two|three/g), ['one', 'two', 'three']);
});

t.test('ten thousand pipelined requests need no deep stack', async t => {
  const server = await RecordingServer.start(t, { onRequest: request => request.answer(204, '') });
  await using client = new RawConnection(server.port);
  client.write(GET.repeat(10_000));
  await client.until(received => received.length >= 10_000 * 'HTTP/1.1 204 No Content\r\n\r\n'.length);
  t.equal(server.requests.length, 10_000);
});

t.test('what a client sends ahead is bounded', async t => {
  const server = await RecordingServer.start(t);
  await using client = new RawConnection(server.port);
  client.write(GET);
  await server.request(0);
  client.write('x'.repeat(8_000_000));
  while (!server.sockets[0]!.isPaused()) await new Promise(resolve => setImmediate(resolve));
  t.ok(server.account.held <= 131_072, `${server.account.held} bytes held`);
});

t.test('a request body comes with its end, by length or in chunks, cut anywhere', async t => {
  const server = await RecordingServer.start(t, { onRequest: () => undefined });
  const messages = [
    'POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world',
    'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n',
  ];
  await using client = new RawConnection(server.port);
  let index = 0;
  for (const message of messages) {
    for (let cut = 1; cut < message.length; cut += 7) {
      client.write(message.slice(0, cut));
      const reading =
        server.sockets[0] === undefined ? server.signal.until(() => server.sockets.length === 1) : undefined;
      await reading;
      await once(server.sockets[0]!, 'data');
      client.write(message.slice(cut));
      const request = await server.request(index++);
      await server.signal.until(() => request.ended);
      t.equal(request.body, 'hello world');
      if (request.head.path === '/c') t.same(request.trailers, ['x-sum', '1']);
      request.answer(204, '');
    }
  }
});

t.test('no more than a window of a body is read before it was passed on', async t => {
  const server = await RecordingServer.start(t, { consume: false });
  await using client = new RawConnection(server.port);
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`);
  const request = await server.request(0);
  await server.signal.until(() => request.body.length === 65_536);
  t.ok(server.account.held <= 65_536 * 2 + 16_384, `${server.account.held} bytes held`);
  for (let passed = 0; passed < 1_000_000; ) {
    const ready = request.body.length;
    request.downstream.requestConsumed(ready - passed);
    passed = ready;
    await server.signal.until(() => request.body.length > passed || request.ended);
  }
  t.equal(request.body.length, 1_000_000);
  request.answer(204, '');
  await client.until(received => received.includes('204'));
  t.equal(server.account.held, 0);
});

t.test('a client that does not read gets no more than the socket takes', async t => {
  const server = await RecordingServer.start(t);
  const client = net.connect({ port: server.port, host: '127.0.0.1' });
  t.teardown(() => client.destroy());
  client.pause();
  client.write(GET);
  const request = await server.request(0);
  request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
  const chunk = Buffer.alloc(65_536);
  let sent = 0;
  while (request.written === sent) {
    sent += chunk.length;
    request.downstream.sendData(chunk, false);
  }
  t.ok(server.sockets[0]!.writableLength > 262_144, 'credit ends when much is unwritten');
  t.ok(server.account.held > 0, 'what is unwritten counts');
  client.resume();
  await server.signal.until(() => request.written === sent);
  t.equal(server.account.held, 0);
});

t.test('an answer that is over gets all of its credit, although the client has not read it', async t => {
  const server = await RecordingServer.start(t);
  const client = net.connect({ port: server.port, host: '127.0.0.1' });
  t.teardown(() => client.destroy());
  client.pause();
  client.write(GET);
  const request = await server.request(0);
  request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
  const chunk = Buffer.alloc(65_536);
  let sent = 0;
  while (request.written === sent) {
    sent += chunk.length;
    request.downstream.sendData(chunk, false);
  }
  request.downstream.sendData(Buffer.alloc(0), true);
  t.equal(request.written, sent);
  t.ok(server.account.held > 0, 'what is unwritten counts');
  const drained = once(server.sockets[0]!, 'drain');
  client.resume();
  await drained;
  t.equal(server.account.held, 0);
});

t.test('framing of answers', async t => {
  const chunk = Buffer.from('hello');
  const cases: readonly (readonly [string, string, (request: RecordedRequest) => void, string])[] = [
    [
      'chunked without a length',
      GET,
      r => {
        r.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
        r.downstream.sendData(chunk, false);
        r.downstream.sendData(chunk, true);
      },
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n',
    ],
    [
      'chunked that ends without data',
      GET,
      r => {
        r.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
        r.downstream.sendData(chunk, false);
        r.downstream.sendData(Buffer.alloc(0), true);
      },
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ],
    [
      'trailers',
      GET,
      r => {
        r.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
        r.downstream.sendData(chunk, false);
        r.downstream.sendTrailers(['x-sum', '1']);
      },
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n',
    ],
    [
      'trailers after a body of known length are dropped',
      GET,
      r => {
        r.downstream.sendHead(new ResponseHead(200, new Fields([])), ['content-length', '5'], false);
        r.downstream.sendData(chunk, false);
        r.downstream.sendTrailers(['x-sum', '1']);
      },
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello',
    ],
    ['no body', GET, r => r.answer(200, ''), 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    [
      '204 has neither body nor length',
      GET,
      r => {
        r.downstream.sendHead(new ResponseHead(204, new Fields([])), ['content-length', '0'], false);
        r.downstream.sendData(chunk, true);
      },
      'HTTP/1.1 204 No Content\r\n\r\n',
    ],
    [
      '304 keeps its length',
      GET,
      r => r.downstream.sendHead(new ResponseHead(304, new Fields([])), ['content-length', '5'], true),
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n',
    ],
    [
      'HEAD keeps the length',
      'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
      r => r.answer(200, 'hello'),
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n',
    ],
    [
      '1xx before the answer',
      GET,
      r => {
        r.downstream.sendInformational(new ResponseHead(103, new Fields(['link', 'x'])));
        r.answer(200, 'x');
      },
      'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx',
    ],
    ['an unknown status', GET, r => r.answer(299, ''), 'HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n'],
    [
      'HTTP/1.0: the body ends with the connection',
      'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
      r => {
        r.downstream.sendInformational(new ResponseHead(103, new Fields([])));
        r.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
        r.downstream.sendData(chunk, true);
      },
      'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello',
    ],
    [
      'HTTP/1.0 that wants to go on',
      'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
      r => r.answer(200, 'x'),
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx',
    ],
    [
      'HTTP/1.0',
      'GET / HTTP/1.0\r\n\r\n',
      r => r.answer(200, 'x'),
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx',
    ],
  ];
  for (const [name, request, onRequest, expected] of cases) {
    const server = await RecordingServer.start(t, { onRequest });
    await using client = new RawConnection(server.port);
    client.write(request);
    t.equal(await client.until(received => received.length >= expected.length), expected, name);
  }
});

t.test('the body of an answer to HEAD is passed over, with its credit', async t => {
  const server = await RecordingServer.start(t);
  await using client = new RawConnection(server.port);
  client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  const request = await server.request(0);
  request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
  request.downstream.sendData(Buffer.alloc(1_000), true);
  t.equal(request.written, 1_000);
  client.write(GET);
  (await server.request(1)).answer(204, '');
  t.match(await client.until(received => received.includes('204')), /^HTTP\/1.1 200 OK\r\n\r\nHTTP\/1.1 204/);
});

t.test('a broken answer is never completed', async t => {
  const head = new ResponseHead(200, new Fields([]));
  const chunk = Buffer.from('hello');
  const cases: readonly (readonly [string, (request: RecordedRequest) => void])[] = [
    [
      'too short',
      r => {
        r.downstream.sendHead(head, ['content-length', '6'], false);
        r.downstream.sendData(chunk, true);
      },
    ],
    [
      'too long',
      r => {
        r.downstream.sendHead(head, ['content-length', '4'], false);
        r.downstream.sendData(chunk, true);
      },
    ],
    ['none where some was announced', r => r.downstream.sendHead(head, ['content-length', '4'], true)],
    ['two lengths', r => r.downstream.sendHead(head, ['content-length', '4', 'content-length', '5'], true)],
    ['a volatile field with a line end', r => r.downstream.sendHead(head, ['date', 'a\r\nContent-Length: 5'], true)],
    ['reset before the head', r => r.downstream.reset(r.reset!)],
    ['101 that was not asked for', r => r.downstream.sendHead(new ResponseHead(101, new Fields([])), [], false)],
    [
      'reset in the body',
      r => {
        r.downstream.sendHead(head, [], false);
        r.downstream.sendData(chunk, false);
        r.downstream.reset(r.reset!);
      },
    ],
  ];
  for (const [name, onRequest] of cases) {
    const server = await RecordingServer.start(t, { onRequest });
    const text = await sendRaw(server.port, GET);
    t.notMatch(text, /hello$|0\r\n\r\n$/, name);
    t.notMatch(text, /a\r\nContent/, name);
    await server.signal.until(() => server.closed === 1);
  }
});

t.test('a body that ends with the connection is broken by a reset, not by an end', async t => {
  const server = await RecordingServer.start(t);
  const client = net.connect({ port: server.port, host: '127.0.0.1' });
  client.write('GET / HTTP/1.0\r\n\r\n');
  const request = await server.request(0);
  request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
  request.downstream.sendData(Buffer.from('half'), false);
  client.on('data', () => request.downstream.reset({ code: 'UPSTREAM_RESET', detail: 'x', retry: 'never', cause: '' }));
  const [error] = await once(client, 'error');
  t.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
});

t.test('a refused request is told why, and the connection ends', async t => {
  const server = await RecordingServer.start(t, { onRequest: hello });
  t.equal(
    await sendRaw(server.port, `${GET}GET / HTTP/1.1\r\nHost : a\r\n\r\n${GET}`),
    'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 400 Bad Request\r\nx-detail: space_before_colon\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbad',
  );
  t.equal(server.requests.length, 1, 'nothing after it was read');
  t.match(server.errors, [{ code: 'DOWNSTREAM_PROTOCOL', detail: 'space_before_colon' }]);
});

t.test('what can be no head is refused before it is complete', async t => {
  const server = await RecordingServer.start(t);
  const cases: readonly (readonly [string, string, string])[] = [
    ['\n', 'bad_line_end', 'DOWNSTREAM_PROTOCOL'],
    ['GET / HTTP/1.1\nHost: a\n\n', 'bad_line_end', 'DOWNSTREAM_PROTOCOL'],
    ['GET / HTTP/1.1\rHost', 'bad_line_end', 'DOWNSTREAM_PROTOCOL'],
    ['\x16\x03\x01\x02', 'control_character', 'DOWNSTREAM_PROTOCOL'],
    [`GET /${'a'.repeat(20_000)}`, 'request_line_too_long', 'URI_TOO_LONG'],
    [`GET / HTTP/1.1\r\n${'X: a\r\n'.repeat(12_000)}`, 'head_too_large', 'HEAD_TOO_LARGE'],
    [`GET / HTTP/1.1\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 'head_too_large', 'HEAD_TOO_LARGE'],
    [`GET / HTTP/1.1\r\nHost: a\r\n${'X: a\r\n'.repeat(200)}\r\n`, 'too_many_fields', 'HEAD_TOO_LARGE'],
    ['\r\n\r\nGET', 'bad_line_end', 'DOWNSTREAM_PROTOCOL'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2_preface', 'DOWNSTREAM_PROTOCOL'],
  ];
  for (const [index, [text, detail, code]] of cases.entries()) {
    t.match(await sendRaw(server.port, text), `x-detail: ${detail}`, detail);
    t.match(server.errors[index], { code, detail });
  }
  t.equal(server.requests.length, 0);
});

t.test('one empty line before a request is ignored', async t => {
  const server = await RecordingServer.start(t, { onRequest: hello });
  t.match(await sendRaw(server.port, `\r\n${GET}\r\n${CLOSE}`), /hello.*hello/s);
  await using client = new RawConnection(server.port);
  client.write('\r');
  await server.signal.until(() => server.sockets.length === 2);
  await once(server.sockets[1]!, 'data');
  client.write(`\n${GET}`);
  await client.until(received => received.endsWith('hello'));
  t.equal(server.requests.length, 3);
});

t.test('a broken body resets the exchange, and the client is told if no answer began', async t => {
  const server = await RecordingServer.start(t);
  const text = await sendRaw(
    server.port,
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n',
  );
  t.match(text, 'x-detail: bad_chunk');
  t.match(server.requests[0], { ended: false, reset: { code: 'DOWNSTREAM_PROTOCOL', detail: 'bad_chunk' } });
  t.same(server.errors, [], 'the exchange knows');

  const answering = await RecordingServer.start(t, {
    onRequest: request => request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false),
  });
  t.notMatch(
    await sendRaw(answering.port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'),
    'bad_chunk',
  );
  t.match(answering.requests[0]?.reset, { detail: 'bad_chunk' });
});

t.test('a client that goes away resets its exchange', async t => {
  const server = await RecordingServer.start(t);
  for (const [index, text] of [GET, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab'].entries()) {
    const client = net.connect({ port: server.port, host: '127.0.0.1' });
    client.write(text);
    const request = await server.request(index);
    client.end();
    await server.signal.until(() => request.reset !== undefined);
    t.match(request, { reset: { code: 'DOWNSTREAM_RESET', detail: 'connection_ended' } });
    await server.signal.until(() => server.closed === index + 1);
  }
  const client = net.connect({ port: server.port, host: '127.0.0.1' });
  client.write(GET);
  const request = await server.request(2);
  client.resetAndDestroy();
  await server.signal.until(() => request.reset !== undefined);
  t.match(request.reset, { code: 'DOWNSTREAM_RESET', detail: 'connection_lost', cause: 'ECONNRESET' });
  request.answer(200, 'too late');
  t.equal(server.account.held, 0);
});

t.test('an answer before the end of the request closes the connection after it, without destroying it', async t => {
  const server = await RecordingServer.start(t, { onRequest: request => request.answer(413, 'too large') });
  await using client = new RawConnection(server.port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\nabc');
  const text = await client.until(received => received.endsWith('large'));
  t.match(text, 'connection: close');
  client.write('x'.repeat(100_000));
  client.socket.end();
  await server.signal.until(() => server.closed === 1);
  t.equal(server.requests[0]?.body, '', 'the rest is dropped');
});

t.test('a client that does not close after the last answer is closed', async t => {
  const server = await RecordingServer.start(t, { onRequest: hello });
  const client = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => client.destroy());
  client.write(CLOSE);
  client.resume();
  await once(client, 'end');
  t.equal(server.closed, 0);
  server.clock.advance(5_000);
  await server.signal.until(() => server.closed === 1);
  t.pass('after the linger time');
});

t.test('a head must be complete in time', async t => {
  const server = await RecordingServer.start(t, { requestHeadTimeoutMs: 1_000 });
  await using client = new RawConnection(server.port);
  client.write('GET / HT');
  await server.signal.until(() => server.sockets.length === 1);
  await once(server.sockets[0]!, 'data');
  server.clock.advance(999);
  client.write('TP/1.1\r\n');
  await once(server.sockets[0]!, 'data');
  server.clock.advance(1);
  t.match(await client.untilClosed(), 'x-detail: request_head_timeout', 'more bytes do not help');
});

t.test('an idle connection is closed after the keep-alive time, a busy one is not', async t => {
  const server = await RecordingServer.start(t, { keepAliveTimeoutMs: 4_000 });
  await using client = new RawConnection(server.port);
  client.write(GET);
  const request = await server.request(0);
  server.clock.advance(100_000);
  request.answer(200, 'x');
  await client.until(received => received.endsWith('x'));
  server.clock.advance(3_000);
  t.equal(client.closed, false);
  server.clock.advance(2_000);
  await client.untilClosed();
  t.equal(client.closed, true);
});

t.test('drain closes idle connections, and the others after their answer', async t => {
  const server = await RecordingServer.start(t);
  await using idle = new RawConnection(server.port);
  await server.signal.until(() => server.connections.length === 1);
  server.connections[0]!.drain();
  await idle.untilClosed();
  await using busy = new RawConnection(server.port);
  busy.write(GET);
  const request = await server.request(0);
  server.connections[1]!.drain();
  request.answer(200, 'x');
  t.match(await busy.untilClosed(), 'connection: close\r\n\r\nx');
});

t.test('drain waits for a head that has begun', async t => {
  const server = await RecordingServer.start(t, { onRequest: hello });
  await using client = new RawConnection(server.port);
  client.write('GET / HTTP/1.1\r\n');
  await server.signal.until(() => server.sockets.length === 1);
  await once(server.sockets[0]!, 'data');
  server.connections[0]!.drain();
  client.write('Host: a\r\n\r\n');
  t.match(await client.untilClosed(), 'connection: close\r\n\r\nhello');
});

t.test('close resets the open exchange', async t => {
  const server = await RecordingServer.start(t);
  await using client = new RawConnection(server.port);
  client.write(GET);
  const request = await server.request(0);
  server.connections[0]!.close();
  t.match(request.reset, { code: 'DOWNSTREAM_RESET', detail: 'connection_closed' });
  await client.untilClosed();
  await server.signal.until(() => server.closed === 1);
});

t.test('an Upgrade that is granted makes both directions raw', async t => {
  const server = await RecordingServer.start(t);
  const client = new RawConnection(server.port);
  await using _ = client;
  client.write('GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly');
  const request = await server.request(0);
  t.match(
    request,
    { ended: false, body: '', head: { protocol: 'websocket', method: 'GET' } },
    'raw bytes wait for the grant',
  );
  request.downstream.sendHead(new ResponseHead(101, new Fields(['sec-websocket-accept', 'x'])), [], false);
  await server.signal.until(() => request.body === 'early');
  request.downstream.sendData(Buffer.from('from the app'), false);
  const expected =
    'HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nfrom the app';
  t.equal(await client.until(received => received.length >= expected.length), expected);
  client.write('GET / HTTP/1.1\r\n\r\n');
  await server.signal.until(() => request.body.includes('HTTP/1.1\r\n\r\n'));
  t.equal(server.requests.length, 1);
  request.downstream.sendData(Buffer.from(' bye'), true);
  await client.until(received => received.endsWith('bye'));
  client.socket.end();
  await server.signal.until(() => request.ended && server.closed === 1);
  t.equal(request.reset, undefined, 'both directions came to their end');
});

t.test('the half of a raw connection that is open goes on', async t => {
  const server = await RecordingServer.start(t);
  const client = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => client.destroy());
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  const request = await server.request(0);
  request.downstream.sendHead(new ResponseHead(101, new Fields([])), [], false);
  await once(client, 'data');
  client.end('last');
  await server.signal.until(() => request.ended);
  t.equal(request.body, 'last');
  request.downstream.sendData(Buffer.from('still here'), true);
  const [data] = await once(client, 'data');
  t.equal(String(data), 'still here');
  await server.signal.until(() => server.closed === 1);
  t.equal(request.reset, undefined);
});

t.test('an Upgrade that is not granted is an ordinary request', async t => {
  const server = await RecordingServer.start(t, { onRequest: request => request.answer(403, 'no') });
  const text = await sendRaw(
    server.port,
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${CLOSE}`,
  );
  t.match(text, /403.*no.*403.*no/s, 'the next request is read');
  t.equal(server.requests.length, 2);
});

t.test('CONNECT hands the socket over with what follows', async t => {
  const taken: { authority: string; leftover: string; version: string }[] = [];
  const server = await RecordingServer.start(t, {
    onConnect: (socket, authority, leftover, version) => {
      taken.push({ authority, leftover: leftover.toString(), version });
      t.equal(socket.listenerCount('data'), 0);
      socket.end('tunnel');
      socket.resume();
    },
  });
  t.equal(await sendRaw(server.port, 'CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n\x16tls'), 'tunnel');
  t.same(taken, [{ authority: 'b:443', leftover: '\x16tls', version: '1.1' }]);
  t.equal(server.closed, 0);
});

t.test('CONNECT is refused where nobody takes it', async t => {
  const server = await RecordingServer.start(t);
  t.match(await sendRaw(server.port, 'CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n'), 'x-detail: connect_not_allowed');
  t.equal(server.requests.length, 0);
});

t.test('bytes read by the detection come first', async t => {
  const server = await RecordingServer.start(t, { onRequest: hello });
  await using client = new RawConnection(server.port);
  await server.signal.until(() => server.connections.length === 1);
  server.connections[0]!.push(Buffer.from('GET /pushed HTTP/1.1\r\n'));
  client.write('Host: a\r\n\r\n');
  await client.until(received => received.endsWith('hello'));
  t.equal(server.requests[0]?.head.path, '/pushed');
});
