import { proxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { LinkInfo } from '../../../../../sidecar/protocol/head.ts';
import { encodeFields } from '../../../../../sidecar/protocol/http2/hpack/encoder.ts';
import { ClientBench, request, test } from './recorders.ts';
import {
  ACK,
  block,
  data,
  END_STREAM,
  frame,
  goaway,
  headers,
  MAX_CONCURRENT_STREAMS,
  ping,
  rst,
  settings,
} from './wire.ts';

const OK = [':status', '200'];

test('a request, and its answer', async t => {
  const bench = await ClientBench.open(t);
  const { response } = bench.send(request('GET', '/x'), ['x-request-id', '7']);
  await bench.settle();
  t.same(bench.news(), ['HEADERS 1 :method=GET :scheme=http :path=/x :authority=a x-request-id=7 end']);
  await bench.receive(headers(1, [...OK, 'server', 's', 'content-length', '5'], 0), data(1, 'hello', END_STREAM));
  t.match(response, { status: 200, body: 'hello', ended: true, volatile: ['content-length', '5'] });
  t.same(response.head?.fields.list, ['server', 's']);
  t.equal(bench.connection.openStreams, 0);
  t.ok(bench.rooms > 0, 'there is room for a request');
});

test('bodies and trailers both ways, 1xx first', async t => {
  const bench = await ClientBench.open(t);
  const { response, upstream } = bench.send(request('POST'), [], false);
  upstream.sendData(Buffer.from('up'), false);
  upstream.sendTrailers(['x-sum', '2']);
  await bench.settle();
  t.same(bench.news().slice(1), ['DATA 1 2', 'HEADERS 1 x-sum=2 end']);
  t.equal(response.sent, 2);
  await bench.receive(
    headers(1, [':status', '103'], 0),
    headers(1, OK, 0),
    data(1, 'ok'),
    headers(1, ['grpc-status', '0']),
  );
  t.match(response, { informationals: [103], status: 200, body: 'ok', trailers: ['grpc-status', '0'] });
});

test('the link fields of a request, and the marks of an answer that the peer’s sidecar made', async t => {
  const bench = await ClientBench.open(t, { link: true, hello: Buffer.from('{}') });
  const { response } = bench.send(request('GET', '/', '', new LinkInfo('web.default', 8080, 'r')));
  await bench.settle();
  t.match(bench.news()[0], /outrider-to=web.default outrider-port=8080 outrider-route=r end/);
  t.equal(bench.socket.of('PEER').length, 1);
  await bench.receive(headers(1, [':status', '503', 'x-outrider-flag', 'UF', 'outrider-processed', 'no']));
  t.same(response.head?.mesh, { flag: 'UF', notProcessed: true });
});

test('marks of the mesh mean nothing from an app', async t => {
  const bench = await ClientBench.open(t);
  const { response } = bench.send();
  await bench.receive(headers(1, [':status', '503', 'x-outrider-flag', 'UF', 'outrider-processed', 'no', 'x', 'y']));
  t.equal(response.head?.mesh, undefined);
  t.same(response.head?.fields.list, ['x', 'y']);
});

test('what a server may not answer resets the stream, and the connection goes on', async t => {
  const cases: readonly [string, readonly Buffer[], string?][] = [
    ['DATA before the head', [data(1, 'x')]],
    ['a head without a status', [headers(1, ['x', 'y'])]],
    ['a status of two digits', [headers(1, [':status', '20'])]],
    ['a second pseudo-header field', [headers(1, [...OK, ':path', '/'])]],
    ['a 101', [headers(1, [':status', '101'], 0)]],
    ['a 1xx that ends the stream', [headers(1, [':status', '100'])]],
    ['trailers that do not end the stream', [headers(1, OK, 0), headers(1, ['a', 'b'], 0)]],
    ['a body longer than content-length', [headers(1, [...OK, 'content-length', '1'], 0), data(1, 'xy')]],
    ['a body shorter than content-length', [headers(1, [...OK, 'content-length', '3'], 0), data(1, 'xy', END_STREAM)]],
    ['no body where content-length says one', [headers(1, [...OK, 'content-length', '3'])]],
    ['a body with 204', [headers(1, [':status', '204'], 0), data(1, 'x')]],
    ['a body with 304', [headers(1, [':status', '304'], 0), data(1, 'x')]],
    ['a body to HEAD', [headers(1, [...OK, 'content-length', '1'], 0), data(1, 'x')], 'HEAD'],
    ['a hundred and one 1xx', Array.from({ length: 101 }, () => headers(1, [':status', '102'], 0))],
    ['a connection field', [headers(1, [...OK, 'connection', 'close'])]],
  ];
  for (const [name, frames, method = 'GET'] of cases) {
    test(
      name,
      async t => {
        const bench = await ClientBench.open(t);
        const { response } = bench.send(request(method));
        await bench.receive(...frames);
        t.equal(response.reset?.code, 'UPSTREAM_PROTOCOL');
        t.notOk(response.ended, 'a broken body is never complete');
        t.match(bench.news().at(-1), /^RST_STREAM 1 1$/);
        const next = bench.send().response;
        await bench.receive(headers(3, OK));
        t.equal(next.status, 200, 'the next request is answered');
      },
      t,
    );
  }
});

test('content-length of an answer to HEAD, of a 304 and of a grant says nothing about DATA', async t => {
  const bench = await ClientBench.open(t);
  const head = bench.send(request('HEAD')).response;
  const cached = bench.send().response;
  await bench.receive(
    headers(1, [...OK, 'content-length', '9']),
    headers(3, [':status', '304', 'content-length', '9']),
  );
  t.match(
    [head, cached],
    [
      { ended: true, reset: undefined },
      { ended: true, reset: undefined },
    ],
  );
  t.same(head.volatile, ['content-length', '9'], 'it is passed on');
});

test('refused streams were not processed', async t => {
  const bench = await ClientBench.open(t);
  const [first, second, third] = [bench.send().response, bench.send().response, bench.send().response];
  await bench.receive(rst(1, 7), rst(3, 2), headers(5, OK));
  t.match(first.reset, { code: 'REFUSED', retry: 'not-sent' });
  t.match(second.reset, { code: 'UPSTREAM_RESET', retry: 'if-idempotent', http2Code: 2 });
  t.equal(third.status, 200);
});

test('GOAWAY: what is above the last stream was not processed, what is below goes on', async t => {
  const bench = await ClientBench.open(t);
  const [first, second] = [bench.send().response, bench.send().response];
  await bench.receive(goaway(1));
  t.match(second.reset, { code: 'REFUSED', detail: 'goaway', retry: 'not-sent' });
  t.equal(bench.retired, 1);
  t.notOk(bench.connection.available);
  t.notOk(bench.closed, 'the first is still open');
  await bench.receive(headers(1, OK));
  t.equal(first.status, 200);
  t.same(bench.closes, [undefined], 'then it ends in order');
  t.equal(bench.news().at(-1), 'GOAWAY 0 0');
});

test('a graceful GOAWAY refuses nothing; the second one names the last stream', async t => {
  const bench = await ClientBench.open(t);
  const [first, second] = [bench.send().response, bench.send().response];
  await bench.receive(goaway(0x7fffffff), ping());
  t.equal(second.reset, undefined);
  t.equal(bench.news().at(-1), 'PING ack');
  await bench.receive(goaway(3), headers(3, OK), headers(1, OK));
  t.same([first.status, second.status], [200, 200]);
  t.same(bench.closes, [undefined]);
});

test('the end of the connection: requests may have been processed', async t => {
  for (const event of ['end', 'close', 'error']) {
    const bench = await ClientBench.open(t);
    const { response } = bench.send();
    bench.socket.emit(event, new Error('boom'));
    t.match(response.reset, { code: 'UPSTREAM_CLOSED', retry: 'if-idempotent' }, event);
    t.notOk(bench.connection.takesRequests, event);
  }
});

test('a drain waits for what is open', async t => {
  const bench = await ClientBench.open(t);
  const { response } = bench.send();
  bench.connection.drain();
  t.equal(bench.retired, 1);
  t.notOk(bench.closed);
  await bench.receive(headers(1, OK));
  t.equal(response.status, 200);
  t.same(bench.closes, [undefined]);
});

test('a request that nobody wants any more is cancelled; what was under way is ignored', async t => {
  const bench = await ClientBench.open(t);
  const { response, upstream } = bench.send();
  response.consume = false;
  await bench.receive(headers(1, OK, 0), data(1, 'x'));
  upstream.reset(proxyError('DOWNSTREAM_RESET', 'abandoned'));
  upstream.reset(proxyError('DOWNSTREAM_RESET', 'abandoned'));
  t.equal(bench.account.held, 0);
  await bench.receive(data(1, 'y'), headers(1, ['a', 'b']), rst(1));
  t.same(bench.news().slice(1), ['RST_STREAM 1 8']);
  t.equal(response.reset, undefined, 'whoever resets hears no reset');
  t.notOk(bench.closed);
});

test('an early answer: a reset behind it is no error', async t => {
  const bench = await ClientBench.open(t);
  const { response, upstream } = bench.send(request('POST'), [], false);
  upstream.sendData(Buffer.from('x'), false);
  await bench.receive(headers(1, [':status', '413']), rst(1, 0));
  t.match(response, { status: 413, ended: true, reset: undefined });
  upstream.sendData(Buffer.from('y'), true);
  await bench.settle();
  t.same(bench.news().slice(1), ['DATA 1 1'], 'nothing follows');
});

test('MAX_CONCURRENT_STREAMS of the server limits what we open', async t => {
  const bench = await ClientBench.open(t, {}, { [MAX_CONCURRENT_STREAMS]: 1 });
  t.ok(bench.connection.available);
  const { response } = bench.send();
  t.notOk(bench.connection.available);
  await bench.receive(headers(1, OK));
  t.equal(response.status, 200);
  t.ok(bench.connection.available);
  await bench.receive(settings({ [MAX_CONCURRENT_STREAMS]: 0 }));
  t.notOk(bench.connection.available);
});

test('an Upgrade is an extended CONNECT, and its 200 a 101', async t => {
  const bench = await ClientBench.open(t);
  const { response, upstream } = bench.send(request('GET', '/chat', 'websocket'), [], false);
  await bench.settle();
  t.equal(bench.news()[0], 'HEADERS 1 :method=CONNECT :scheme=http :path=/chat :authority=a :protocol=websocket');
  await bench.receive(headers(1, [...OK, 'content-length', '1'], 0), data(1, 'down', END_STREAM));
  t.match(response, { status: 101, body: 'down', ended: true });
  upstream.sendData(Buffer.from('up'), true);
  await bench.settle();
  t.same(bench.news(), ['DATA 1 2 end'], 'the other direction was still open');
  t.equal(bench.connection.openStreams, 0);
});

test('a 200 to an extended CONNECT grants it', async t => {
  for (const link of [true, false]) {
    const bench = await ClientBench.open(t, { link });
    const { response, upstream } = bench.send(request('GET', '/', 'websocket'), [], false);
    await bench.receive(headers(1, [...OK, 'x', 'y'], 0));
    t.equal(response.status, 101);
    t.same(response.head?.fields.list, ['x', 'y']);
    upstream.reset(proxyError('DOWNSTREAM_RESET', 'abandoned'));
  }
});

test('a tunnel that is reset after one direction has ended is told', async t => {
  const bench = await ClientBench.open(t);
  const { response } = bench.send(request('CONNECT'), [], false);
  await bench.receive(headers(1, OK, 0), data(1, 'down'), rst(1));
  t.equal(response.reset?.code, 'UPSTREAM_RESET');
});

test('what a server may not do to the connection ends it', async t => {
  for (const [name, bytes, code] of [
    ['a push', frame('PUSH_PROMISE', 4, 1, Buffer.from([0, 0, 0, 2, 0x82])), 1],
    ['HEADERS on a stream that we have not opened', headers(9, OK), 1],
    ['HEADERS on an even stream', headers(2, OK), 1],
    ['a block that is no HPACK', block(1, Buffer.from([0x80])), 9],
    ['PING of 9 bytes', frame('PING', ACK, 0, Buffer.alloc(9)), 6],
  ] as const) {
    const bench = await ClientBench.open(t);
    const { response } = bench.send();
    await bench.receive(bytes);
    t.equal(bench.news().at(-1), `GOAWAY 0 ${code}`, name);
    t.equal(response.reset?.code, 'UPSTREAM_PROTOCOL', name);
  }
});

test('frames of a stream that was over long ago are answered with STREAM_CLOSED', async t => {
  const bench = await ClientBench.open(t);
  bench.send();
  await bench.receive(headers(1, OK), block(1, encodeFields(OK)));
  t.equal(bench.news().at(-1), 'RST_STREAM 1 5');
  t.notOk(bench.closed);
});
