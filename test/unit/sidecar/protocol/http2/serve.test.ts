import { proxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { Fields, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { encodeFields } from '../../../../../sidecar/protocol/http2/hpack/encoder.ts';
import { ServerBench, test } from './recorders.ts';
import {
  ACK,
  block,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  goaway,
  HEADER_TABLE_SIZE,
  headers,
  INITIAL_WINDOW_SIZE,
  PADDED,
  POST,
  PREFACE,
  PRIORITY,
  ping,
  rst,
  settings,
  windowUpdate,
} from './wire.ts';

const CONNECTION_ERROR = (code: number, last = 0) => `GOAWAY ${last} ${code}`;

test('a request and its answer', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, [...GET, 'x', 'y', 'content-length', '0']));
  const { request } = bench;
  t.match(request.head, { method: 'GET', scheme: 'http', path: '/', authority: 'a' });
  t.same(request.head.fields.list, ['x', 'y']);
  t.same(request.volatile, ['content-length', '0']);
  t.equal(request.ended, true);
  request.answer(200, 'hello', 'server', 's');
  await bench.settle();
  t.same(bench.news(), ['HEADERS 1 :status=200 server=s', 'DATA 1 5 end']);
  t.equal(request.sent, 5);
  t.equal(bench.connection.openStreams, 0);
});

test('our opening: SETTINGS with extended CONNECT, and a large connection window', async t => {
  const bench = await ServerBench.open(t);
  const [first] = bench.socket.of('SETTINGS');
  t.ok(first?.payload.includes(Buffer.from([0, 8, 0, 0, 0, 1])), 'ENABLE_CONNECT_PROTOCOL');
  t.ok(first?.payload.includes(Buffer.from([0, 3, 0, 0, 0, 100])), 'MAX_CONCURRENT_STREAMS');
  t.equal(bench.socket.of('WINDOW_UPDATE')[0]?.payload.readUInt32BE(), 16 * 1_048_576 - 65_535);
});

test('a body and trailers, both ways', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(
    headers(1, POST, 0),
    data(1, 'hel'),
    data(1, 'lo'),
    headers(1, ['x-sum', '5', 'content-length', '9']),
  );
  const { request } = bench;
  t.match(
    request,
    { body: 'hello', trailers: ['x-sum', '5'], ended: true },
    'framing fields have no business in trailers',
  );
  request.downstream.sendInformational(new ResponseHead(103, new Fields(['link', 'l'])));
  request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
  request.downstream.sendData(Buffer.from('ok'), false);
  request.downstream.sendTrailers(['grpc-status', '0']);
  request.downstream.sendTrailers(['late', '1']);
  request.downstream.sendData(Buffer.from('late'), true);
  await bench.settle();
  t.same(bench.news(), [
    'HEADERS 1 :status=103 link=l',
    'HEADERS 1 :status=200',
    'DATA 1 2',
    'HEADERS 1 grpc-status=0 end',
  ]);
});

test('what a peer may not do to a stream resets the stream, and the connection goes on', async t => {
  const cases: readonly [string, readonly Buffer[], number][] = [
    ['DATA behind the end', [headers(1, POST), data(1, 'x')], 5],
    ['HEADERS behind the end', [headers(1, POST), headers(1, ['a', 'b'])], 5],
    ['a head behind the end', [headers(1, POST), headers(1, POST)], 5],
    ['trailers that do not end the stream', [headers(1, POST, 0), headers(1, ['a', 'b'], 0)], 1],
    ['trailers with a pseudo-header field', [headers(1, POST, 0), headers(1, [':path', '/'])], 1],
    ['a body longer than content-length', [headers(1, [...POST, 'content-length', '2'], 0), data(1, 'xyz')], 1],
    [
      'a body shorter than content-length',
      [headers(1, [...POST, 'content-length', '2'], 0), data(1, 'x', END_STREAM)],
      1,
    ],
    [
      'trailers before content-length is reached',
      [headers(1, [...POST, 'content-length', '2'], 0), headers(1, ['a', 'b'])],
      1,
    ],
    ['no body where content-length says one', [headers(1, [...POST, 'content-length', '2'])], 1],
    ['a WINDOW_UPDATE of 0', [headers(1, POST, 0), windowUpdate(1, 0)], 1],
    ['a window beyond 2^31 - 1', [headers(1, POST, 0), windowUpdate(1, 0x7fffffff)], 3],
    [
      'more DATA than the window',
      [headers(1, POST, 0), ...Array.from({ length: 5 }, () => data(1, Buffer.alloc(16_384)))],
      3,
    ],
    ['a malformed head', [headers(1, [...GET, 'Upper', 'x'])], 1],
  ];
  for (const [name, frames, code] of cases) {
    test(
      name,
      async t => {
        const bench = await ServerBench.open(t, { consume: false });
        await bench.receive(...frames);
        t.ok(bench.news().includes(`RST_STREAM 1 ${code}`), `reset with ${code}`);
        if (bench.requests.length > 0)
          t.equal(bench.request.reset?.code, 'DOWNSTREAM_PROTOCOL', 'the exchange hears of it');
        await bench.receive(headers(3, GET));
        t.equal(bench.request.head.path, '/', 'the next request comes through');
        t.notOk(bench.closed);
        bench.request.answer(204);
      },
      t,
    );
  }
});

test('what a peer may not do to the connection ends it with GOAWAY', async t => {
  const long = frame('DATA', 0, 1, Buffer.alloc(16_385));
  const cases: readonly [string, readonly Buffer[], number, number?][] = [
    ['DATA on an idle stream', [data(1, 'x')], 1],
    ['RST_STREAM on an idle stream', [rst(1)], 1],
    ['WINDOW_UPDATE on an idle stream', [windowUpdate(1, 300)], 1],
    ['an even stream id', [headers(2, GET)], 1],
    ['a stream id below the last', [headers(3, GET), headers(1, GET)], 5, 3],
    ['HEADERS on stream 0', [headers(0, GET)], 1],
    ['DATA on stream 0', [data(0, 'x')], 1],
    ['SETTINGS on a stream', [frame('SETTINGS', 0, 1)], 1],
    ['PING on a stream', [frame('PING', 0, 1, Buffer.alloc(8))], 1],
    ['GOAWAY on a stream', [frame('GOAWAY', 0, 1, Buffer.alloc(8))], 1],
    ['PRIORITY on stream 0', [frame('PRIORITY', 0, 0, Buffer.alloc(5))], 1],
    ['a stream that depends on itself', [frame('PRIORITY', 0, 1, Buffer.from([0, 0, 0, 1, 0]))], 1],
    [
      'HEADERS that depend on themselves',
      [frame('HEADERS', PRIORITY | END_HEADERS, 1, Buffer.from([0, 0, 0, 1, 0, 0x82]))],
      1,
    ],
    ['PUSH_PROMISE', [frame('PUSH_PROMISE', END_HEADERS, 1, Buffer.alloc(4))], 1],
    ['CONTINUATION out of nothing', [frame('CONTINUATION', END_HEADERS, 1)], 1],
    ['a frame between HEADERS and CONTINUATION', [frame('HEADERS', 0, 1), ping()], 1],
    ['CONTINUATION of another stream', [frame('HEADERS', 0, 1), frame('CONTINUATION', END_HEADERS, 3)], 1],
    ['a frame above 16,384 bytes', [long], 6],
    ['a PING of 7 bytes', [frame('PING', 0, 0, Buffer.alloc(7))], 6],
    ['a SETTINGS of 5 bytes', [frame('SETTINGS', 0, 0, Buffer.alloc(5))], 6],
    ['a SETTINGS ACK with a payload', [frame('SETTINGS', 1, 0, Buffer.alloc(6))], 6],
    ['a RST_STREAM of 3 bytes', [headers(1, GET), frame('RST_STREAM', 0, 1, Buffer.alloc(3))], 6, 1],
    ['a WINDOW_UPDATE of 3 bytes', [frame('WINDOW_UPDATE', 0, 0, Buffer.alloc(3))], 6],
    ['a GOAWAY of 7 bytes', [frame('GOAWAY', 0, 0, Buffer.alloc(7))], 6],
    ['a PRIORITY of 4 bytes', [frame('PRIORITY', 0, 1, Buffer.alloc(4))], 6],
    ['a connection window of 2^31', [windowUpdate(0, 0x7fffffff)], 3],
    ['a connection WINDOW_UPDATE of 0', [windowUpdate(0, 0)], 1],
    ['an initial window of 2^31', [settings({ [INITIAL_WINDOW_SIZE]: 2 ** 31 })], 3],
    [
      'an initial window that overflows a stream',
      [headers(1, POST, 0), windowUpdate(1, 0x7fff0000), settings({ 4: 0x7fffffff })],
      3,
      1,
    ],
    ['ENABLE_PUSH of 2', [settings({ 2: 2 })], 1],
    ['ENABLE_CONNECT_PROTOCOL of 2', [settings({ 8: 2 })], 1],
    ['a MAX_FRAME_SIZE of 1', [settings({ 5: 1 })], 1],
    ['padding longer than DATA', [headers(1, POST, 0), frame('DATA', PADDED, 1, Buffer.from([5, 1, 2]))], 1, 1],
    ['padded DATA without a length', [headers(1, POST, 0), frame('DATA', PADDED, 1)], 1, 1],
    ['padding longer than HEADERS', [frame('HEADERS', PADDED | END_HEADERS, 1, Buffer.from([5, 0x82]))], 1],
    ['HEADERS too short for their priority', [frame('HEADERS', PRIORITY | END_HEADERS, 1, Buffer.from([0, 0]))], 1],
    ['a header block that is no HPACK', [block(1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))], 9],
    ['trailers that are no HPACK', [headers(1, POST, 0), block(1, Buffer.from([0x80]))], 9, 1],
  ];
  for (const [name, frames, code, last] of cases) {
    test(
      name,
      async t => {
        const bench = await ServerBench.open(t);
        await bench.receive(...frames);
        t.equal(bench.news().at(-1), CONNECTION_ERROR(code, last));
        t.equal(bench.closes[0]?.code, 'DOWNSTREAM_PROTOCOL');
        t.ok(bench.socket.ended, 'our side is ended');
        for (const request of bench.requests) t.ok(request.reset, 'the exchanges hear of it');
        await bench.receive(headers(9, GET));
        t.notOk(
          bench.requests.some(({ downstream }) => downstream === undefined) || bench.requests.length > 1,
          'nothing more is read',
        );
      },
      t,
    );
  }
});

test('a connection that does not open with the preface and SETTINGS is ended', async t => {
  for (const [name, bytes] of [
    ['another preface', Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')],
    ['HEADERS first', Buffer.concat([PREFACE, headers(1, GET)])],
    ['a SETTINGS ACK first', Buffer.concat([PREFACE, frame('SETTINGS', 1, 0)])],
  ] as const) {
    const bench = ServerBench.bare(t);
    await bench.receive(bytes);
    t.same(bench.news(), [CONNECTION_ERROR(1)], name);
    t.same(bench.requests, [], name);
  }
});

test('padding and priority are taken off; padding counts against the window and is given back', async t => {
  const bench = await ServerBench.open(t);
  const padded = Buffer.concat([Buffer.from([3, 0, 0, 0, 7, 16]), encodeFields(POST), Buffer.alloc(3)]);
  await bench.receive(frame('HEADERS', PADDED | PRIORITY | END_HEADERS, 1, padded));
  t.equal(bench.request.head.method, 'POST');
  for (let i = 0; i < 300; i++)
    await bench.receive(frame('DATA', PADDED, 1, Buffer.concat([Buffer.from([255, i]), Buffer.alloc(255)])));
  t.equal(bench.request.body.length, 300, '77 KB of frames brought 300 bytes');
  t.notOk(bench.request.reset);
  await bench.receive(frame('DATA', PADDED | END_STREAM, 1, Buffer.from([0])));
  t.equal(bench.request.ended, true, 'an end of nothing but padding');
  bench.request.answer(204);
});

test('padding alone does not use the window up for ever', async t => {
  const bench = await ServerBench.open(t, { link: true });
  await bench.receive(headers(1, POST, 0));
  const empty = frame('DATA', PADDED, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]));
  for (let i = 0; i < 600; i++) await bench.receive(empty);
  t.notOk(bench.request.reset, '154 KB of padding passed a window of 64 KB');
  await bench.receive(rst(1));
});

test('a header block in several frames is one request', async t => {
  const bench = await ServerBench.open(t);
  const whole = encodeFields([...GET, 'x', 'y'.repeat(100)]);
  await bench.receive(
    frame('HEADERS', END_STREAM, 1, whole.subarray(0, 5)),
    frame('CONTINUATION', 0, 1, whole.subarray(5, 50)),
    frame('CONTINUATION', END_HEADERS, 1, whole.subarray(50)),
  );
  t.same(bench.request.head.fields.list, ['x', 'y'.repeat(100)]);
  t.equal(bench.request.ended, true);
  bench.request.answer(200, '', 'big', 'z'.repeat(40_000));
  await bench.settle();
  t.same(
    bench.socket.written.slice(-3).map(({ type, flags }) => [type, flags]),
    [
      ['HEADERS', END_STREAM],
      ['CONTINUATION', 0],
      ['CONTINUATION', END_HEADERS],
    ],
    'an answer with a large head takes several frames too',
  );
});

test('a head above the limits is answered, and the table of the connection stays in step', async t => {
  const bench = await ServerBench.open(t);
  const inserting = Buffer.from([0x40, 1, 0x6e, 1, 0x76]); // n: v, into the table
  const large = Buffer.concat([encodeFields(GET), ...Array.from({ length: 201 }, () => encodeFields(['x', '']))]);
  // A never-indexed literal in between: what stands behind it is the volatile tail.
  const never = Buffer.from([0x10, 4, ...Buffer.from('date'), 0]);
  await bench.receive(block(1, Buffer.concat([large, never, inserting])));
  t.same(
    bench.refused.map(({ code }) => code),
    ['HEAD_TOO_LARGE'],
  );
  await bench.receive(block(3, Buffer.concat([encodeFields(GET), Buffer.from([0xbe])])));
  t.same(bench.request.head.fields.list, ['n', 'v'], 'the entry that the large head made is there');
  t.same(bench.news(), ['HEADERS 1 :status=431', 'DATA 1 9 end']);
  bench.request.answer(204);
});

test('a body behind a head that was refused is dropped', async t => {
  const bench = await ServerBench.open(t);
  const large = Buffer.concat([encodeFields(POST), ...Array.from({ length: 201 }, () => encodeFields(['x', '']))]);
  await bench.receive(block(1, large, 0), data(1, 'body'), data(1, 'more', END_STREAM));
  t.same(bench.news(), ['HEADERS 1 :status=431', 'DATA 1 9 end', 'RST_STREAM 1 0']);
});

test('a malformed head keeps the table of the connection in step', async t => {
  const bench = await ServerBench.open(t);
  const inserting = Buffer.from([0x40, 1, 0x6e, 1, 0x76]);
  const never = Buffer.from([0x10, 4, ...Buffer.from('date'), 0]);
  await bench.receive(block(1, Buffer.concat([encodeFields([':method', 'GET', 'Bad', 'x']), never, inserting])));
  await bench.receive(block(3, Buffer.concat([encodeFields(GET), Buffer.from([0xbe])])));
  t.same(bench.request.head.fields.list, ['n', 'v']);
  bench.request.answer(204);
});

test('an answer that is complete before its request asks the peer to stop, without an error', async t => {
  const bench = await ServerBench.open(t, { consume: false });
  await bench.receive(headers(1, POST, 0), data(1, 'first'));
  bench.request.answer(413, 'no');
  await bench.settle();
  t.same(bench.news(), ['HEADERS 1 :status=413', 'DATA 1 2 end', 'RST_STREAM 1 0']);
  t.equal(bench.account.held, 0, 'what was not consumed is given back');
  await bench.receive(data(1, 'second'), headers(1, ['a', 'trailer']));
  t.same(bench.news(), [], 'what was under way is ignored, trailers too');
  t.notOk(bench.closed);
  await bench.receive(headers(3, GET));
  bench.request.answer(204);
});

test('a reset by the caller reaches the exchange', async t => {
  const bench = await ServerBench.open(t, { consume: false });
  await bench.receive(headers(1, POST, 0), data(1, 'x'), rst(1));
  t.match(bench.request.reset, { code: 'DOWNSTREAM_RESET', detail: 'stream_reset' });
  t.equal(bench.account.held, 0);
  bench.request.answer(200, 'late');
  await bench.settle();
  t.same(bench.news(), [], 'nothing is said on a stream that is over');
});

test('a reset by the exchange says what fits', async t => {
  const codes: readonly [Parameters<typeof proxyError>[0], number][] = [
    ['UPSTREAM_RESET', 2],
    ['DEADLINE_EXCEEDED', 8],
    ['REFUSED', 7],
    ['DOWNSTREAM_PROTOCOL', 1],
  ];
  for (const [code, wire] of codes) {
    const bench = await ServerBench.open(t);
    await bench.receive(headers(1, GET));
    bench.request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
    bench.request.downstream.reset(proxyError(code, 'stream_reset'));
    await bench.settle();
    t.equal(bench.news().at(-1), `RST_STREAM 1 ${wire}`, code);
  }
});

test('a caller that has had the head is told the code with which the destination reset, but none of the link’s own', async t => {
  for (const [http2Code, wire] of [
    [0, 0],
    [8, 8],
    [11, 11],
    [0xf0, 2],
    [0x1234, 2],
  ] as const) {
    const bench = await ServerBench.open(t);
    await bench.receive(headers(1, GET));
    bench.request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
    bench.request.downstream.reset({ ...proxyError('UPSTREAM_RESET', 'stream_reset'), http2Code });
    await bench.settle();
    t.equal(bench.news().at(-1), `RST_STREAM 1 ${wire}`);
  }
});

test('more streams than allowed are refused, unprocessed', async t => {
  const bench = await ServerBench.open(t, { maxConcurrentStreams: 2 });
  await bench.receive(headers(1, GET), headers(3, GET), headers(5, GET));
  t.equal(bench.requests.length, 2);
  t.same(bench.news(), ['RST_STREAM 5 7']);
  for (const request of bench.requests) request.answer(204);
  await bench.receive(headers(7, GET));
  t.equal(bench.requests.length, 3, 'there is room again');
  bench.request.answer(204);
});

test('a drain: a GOAWAY that refuses nothing, then one that names the last stream, then the end', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, GET));
  bench.connection.drain();
  await bench.settle();
  t.same(bench.news(), ['GOAWAY 2147483647 0', 'PING']);
  await bench.receive(headers(3, POST, 0));
  t.equal(bench.requests.length, 2, 'what crossed the first GOAWAY is served');
  await bench.receive(ping(ACK, '\0\0\0\0\0\0\0\0'));
  t.same(bench.news(), ['GOAWAY 3 0']);
  await bench.receive(headers(5, POST, 0), data(5, 'x'), data(3, 'body', END_STREAM));
  t.equal(bench.requests.length, 2, 'what comes later is refused');
  t.same(bench.news(), ['RST_STREAM 5 7'], 'and harms no other stream');
  t.equal(bench.request.body, 'body');
  bench.requests[0]?.answer(204);
  bench.requests[1]?.answer(204);
  await bench.settle();
  t.same(bench.closes, [undefined], 'closed in order when the last stream has ended');
  t.ok(bench.socket.ended);
});

test('an error behind a drain never names a later stream than the GOAWAY before', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, GET));
  bench.connection.drain();
  await bench.receive(ping(ACK, '\0\0\0\0\0\0\0\0'));
  await bench.receive(headers(7, GET), frame('PUSH_PROMISE', 0, 1));
  t.equal(bench.news().at(-1), 'GOAWAY 1 1');
});

test('a client that says goodbye gets its answers first', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, GET), goaway(0));
  bench.request.answer(200, 'bye');
  await bench.settle();
  t.same(bench.news(), ['HEADERS 1 :status=200', 'DATA 1 3 end', 'GOAWAY 1 0']);
  t.same(bench.closes, [undefined]);
});

test('the end of the socket ends the exchanges; a socket error says its cause', async t => {
  for (const [event, cause] of [
    ['end', ''],
    ['close', ''],
    ['error', 'boom'],
  ] as const) {
    const bench = await ServerBench.open(t, { consume: false });
    await bench.receive(headers(1, POST, 0), data(1, 'x'));
    bench.socket.emit(event, new Error('boom'));
    t.match(bench.request.reset, { code: 'DOWNSTREAM_RESET', cause }, event);
    t.equal(bench.account.held, 0, event);
  }
});

test('after the end the peer may take its time to read, but not for ever', async t => {
  const bench = await ServerBench.open(t);
  bench.connection.close();
  t.notOk(bench.socket.destroyed);
  bench.clock.advance(1_000);
  t.ok(bench.socket.destroyed);
});

test('PING is answered with its own bytes; unknown frames and settings are ignored', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(ping(0, '\x00\x01\x02\x03abcd'), frame(0x77, 255, 0, Buffer.alloc(9)), settings({ 99: 7 }));
  t.same(bench.news(), ['PING ack']);
  t.same(bench.socket.of('PING')[0]?.payload, Buffer.from('\x00\x01\x02\x03abcd'));
  t.equal(bench.socket.of('SETTINGS').filter(({ flags }) => flags === ACK).length, 2);
});

test('a tunnel: each direction ends by itself', async t => {
  for (const [name, list, status, wire] of [
    ['CONNECT', [':method', 'CONNECT', ':authority', 'a:1'], 200, 200],
    [
      'extended CONNECT',
      [':method', 'CONNECT', ':protocol', 'websocket', ':scheme', 'http', ':path', '/chat', ':authority', 'a'],
      101,
      200,
    ],
  ] as const) {
    const bench = await ServerBench.open(t);
    await bench.receive(headers(1, list, 0));
    const { request } = bench;
    request.downstream.sendHead(new ResponseHead(status, new Fields([])), [], false);
    request.downstream.sendData(Buffer.from('down'), true);
    await bench.receive(data(1, 'up'));
    t.same(bench.news(), [`HEADERS 1 :status=${wire}`, 'DATA 1 4 end'], name);
    await bench.receive(data(1, '!', END_STREAM));
    t.match(request, { body: 'up!', ended: true, reset: undefined }, name);
    t.equal(bench.connection.openStreams, 0, name);
  }
});

test('a tunnel that is reset after one direction has ended is told to the exchange', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, [':method', 'CONNECT', ':authority', 'a:1'], 0));
  bench.request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
  bench.request.downstream.sendData(Buffer.from('down'), true);
  await bench.receive(rst(1));
  t.equal(bench.request.reset?.code, 'DOWNSTREAM_RESET');
});

test('an extended CONNECT is an Upgrade, and may be refused', async t => {
  const upgrade = [
    ':method',
    'CONNECT',
    ':protocol',
    'websocket',
    ':scheme',
    'http',
    ':path',
    '/chat',
    ':authority',
    'a',
  ];
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, upgrade, 0));
  t.match(bench.request.head, { method: 'GET', protocol: 'websocket', path: '/chat' });
  bench.request.answer(403, 'page', 'x', 'y');
  await bench.settle();
  t.same(bench.news(), ['HEADERS 1 :status=403 x=y', 'DATA 1 4 end', 'RST_STREAM 1 0']);
});

test('the PEER frame is read on the link, and nowhere else', async t => {
  const hello = Buffer.from('{"service":"web"}');
  const link = await ServerBench.open(t, { link: true, hello });
  await link.receive(frame('PEER', 0, 0, Buffer.from('{}')));
  t.same(link.peers, ['{}']);
  t.same(
    link.socket.of('PEER').map(({ payload }) => payload),
    [hello],
    'ours goes out with the opening',
  );
  const app = await ServerBench.open(t);
  await app.receive(frame('PEER', 0, 0, Buffer.from('{}')));
  t.same(app.peers, []);
});

test('a client that wants a smaller HPACK table is told, once, that we use none', async t => {
  const bench = await ServerBench.open(t, {}, { [HEADER_TABLE_SIZE]: 100 });
  for (const stream of [1, 3]) {
    await bench.receive(headers(stream, GET));
    bench.request.answer(204);
  }
  await bench.settle();
  t.same(
    bench.socket.of('HEADERS').map(({ payload }) => [...payload]),
    [[0x20, 0x89], [0x89]],
  );
});

test('a frame, a header block or a preface that is begun must be finished within a minute', async t => {
  const whole = headers(1, GET);
  for (const [name, begin, goOn] of [
    ['a frame', whole.subarray(0, 12), whole.subarray(12, 13)],
    ['a header block', frame('HEADERS', END_STREAM, 1, whole.subarray(9, 12)), Buffer.alloc(0)],
  ] as const) {
    const bench = await ServerBench.open(t);
    await bench.receive(begin);
    bench.clock.advance(45_000);
    await bench.receive(goOn);
    t.notOk(bench.closed, name);
    bench.clock.advance(30_000);
    t.ok(bench.closed, name);
    t.match(bench.news().at(-1), /^GOAWAY 0 11$/);
  }
  const slow = await ServerBench.open(t);
  for (let i = 0; i < 20; i++) {
    await slow.receive(headers(2 * i + 1, GET), headers(2 * i + 3, GET).subarray(0, 5));
    slow.requests.at(-1)?.answer(204);
    slow.clock.advance(30_000);
    await slow.receive(headers(2 * i + 3, GET).subarray(5));
    slow.requests.at(-1)?.answer(204);
    i++;
  }
  t.notOk(slow.closed, 'one that goes on goes on');
});

test('a connection without a stream is closed after an hour, one with a stream is not', async t => {
  const [idle, busy] = [await ServerBench.open(t), await ServerBench.open(t)];
  await busy.receive(headers(1, GET));
  for (const bench of [idle, busy]) for (let i = 0; i < 6; i++) bench.clock.advance(900_000);
  t.ok(idle.closed);
  t.equal(idle.news().at(-1), 'GOAWAY 0 0');
  t.notOk(busy.closed);
  busy.request.answer(204);
});
