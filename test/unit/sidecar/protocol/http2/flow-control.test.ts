import fc from 'fast-check';
import { Fields, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { MAX_STREAM_WINDOW } from '../../../../../sidecar/protocol/http2/stream.ts';
import { ClientBench, request, ServerBench, test } from './recorders.ts';
import { data, END_STREAM, GET, headers, INITIAL_WINDOW_SIZE, POST, rst, settings, windowUpdate } from './wire.ts';

const OK = new ResponseHead(200, new Fields([]));
const BIG = Buffer.alloc(100_000, 'x');

/** A server that has answered stream after stream with a large body. */
const answering = async (bench: ServerBench, streams: readonly number[], body = BIG): Promise<void> => {
  for (const stream of streams) {
    await bench.receive(headers(stream, GET));
    bench.request.downstream.sendHead(OK, [], false);
    bench.request.downstream.sendData(body, true);
  }
  await bench.settle();
};

test('a body goes out as far as both windows allow, and on when they grow', async t => {
  const bench = await ServerBench.open(t);
  await answering(bench, [1]);
  t.equal(bench.socket.body(1).length, 65_535, 'the first window');
  t.equal(bench.request.sent, 65_535, 'what waits is not yet credited');
  await bench.receive(windowUpdate(1, 50_000));
  t.equal(bench.socket.body(1).length, 65_535, 'the stream’s window alone is not enough');
  await bench.receive(windowUpdate(0, 20_000));
  t.equal(bench.socket.body(1).length, 85_535);
  await bench.receive(windowUpdate(0, 20_000));
  t.equal(bench.socket.body(1).length, 100_000);
  t.equal(bench.news().at(-1), 'DATA 1 14465 end');
});

test('no frame is larger than 16,384 bytes', async t => {
  const bench = await ServerBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 200_000 });
  await bench.receive(windowUpdate(0, 200_000));
  await answering(bench, [1]);
  t.equal(Math.max(...bench.socket.of('DATA').map(({ payload }) => payload.length)), 16_384);
  t.equal(bench.socket.body(1).length, 100_000);
});

test('an initial window that shrinks below 0 stops a stream until it has been made up for', async t => {
  const bench = await ServerBench.open(t);
  await answering(bench, [1]);
  await bench.receive(settings({ [INITIAL_WINDOW_SIZE]: 10_000 }), windowUpdate(0, 100_000));
  await bench.receive(windowUpdate(1, 55_535));
  t.equal(bench.socket.body(1).length, 65_535, 'back at 0');
  await bench.receive(windowUpdate(1, 100));
  t.equal(bench.socket.body(1).length, 65_635);
  await bench.receive(settings({ [INITIAL_WINDOW_SIZE]: 65_535 }));
  t.equal(bench.socket.body(1).length, 100_000, 'and a larger initial window lets it go on');
});

test('the bare end of a body needs no window, not even a negative one', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, GET));
  const { downstream } = bench.request;
  downstream.sendHead(OK, [], false);
  downstream.sendData(Buffer.alloc(65_535), false);
  await bench.receive(settings({ [INITIAL_WINDOW_SIZE]: 0 }));
  downstream.sendData(Buffer.alloc(0), true);
  await bench.settle();
  t.equal(bench.news().at(-1), 'DATA 1 0 end');
});

test('trailers and the end wait for the body before them', async t => {
  const bench = await ServerBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 3 });
  await bench.receive(headers(1, GET), headers(3, GET));
  const [first, second] = bench.requests;
  first?.downstream.sendHead(OK, [], false);
  first?.downstream.sendData(Buffer.from('hello'), false);
  first?.downstream.sendTrailers(['grpc-status', '0']);
  second?.downstream.sendHead(OK, [], false);
  second?.downstream.sendData(Buffer.from('hello'), false);
  second?.downstream.sendData(Buffer.alloc(0), true);
  await bench.settle();
  t.same(bench.news(), ['HEADERS 1 :status=200', 'DATA 1 3', 'HEADERS 3 :status=200', 'DATA 3 3']);
  await bench.receive(windowUpdate(1, 9), windowUpdate(3, 9));
  t.same(bench.news(), ['DATA 1 2', 'HEADERS 1 grpc-status=0 end', 'DATA 3 2 end']);
});

test('streams take turns, one frame each', async t => {
  const bench = await ServerBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 1_000_000 });
  await bench.receive(headers(9, GET));
  bench.request.downstream.sendHead(OK, [], false);
  bench.request.downstream.sendData(Buffer.alloc(65_535), true); // the connection's window is used up
  await answering(bench, [11, 13, 15], Buffer.alloc(40_000));
  bench.news();
  await bench.receive(windowUpdate(0, 1_000_000));
  t.same(
    bench.news().map(line => line.split(' ').slice(1).join(' ')),
    [
      '11 16384',
      '13 16384',
      '15 16384',
      '11 16384',
      '13 16384',
      '15 16384',
      '11 7232 end',
      '13 7232 end',
      '15 7232 end',
    ],
  );
});

test('while the peer’s socket takes nothing, bodies wait and get no credit', async t => {
  const bench = await ServerBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 10_000_000 });
  await bench.receive(windowUpdate(0, 10_000_000), headers(1, GET));
  bench.socket.stick();
  const { request } = bench;
  request.downstream.sendHead(OK, [], false);
  for (let i = 0; i < 100; i++) request.downstream.sendData(Buffer.alloc(16_384), i === 99);
  await bench.settle();
  t.ok(request.sent < 400_000, `${request.sent} bytes were taken`);
  bench.socket.unstick();
  for (let i = 0; i < 20; i++) await bench.settle();
  t.equal(request.sent, 1_638_400);
});

test('a slow reader holds at most its window', async t => {
  const bench = await ServerBench.open(t, { consume: false });
  await bench.receive(
    headers(1, POST, 0),
    ...Array.from({ length: 3 }, () => data(1, Buffer.alloc(16_384))),
    data(1, Buffer.alloc(16_383)),
  );
  t.equal(bench.account.held, 65_535);
  t.same(
    bench.socket.of('WINDOW_UPDATE').filter(({ stream }) => stream === 1),
    [],
    'no credit before it reads',
  );
  bench.request.downstream.requestConsumed(40_000);
  await bench.settle();
  t.equal(bench.account.held, 25_535);
  t.equal(bench.news().at(-1), 'WINDOW_UPDATE 1 40000', 'as much as it has read, and no larger window');
  await bench.receive(rst(1));
});

test('the window grows to 1 MiB while the reader keeps up, and no further', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, POST, 0));
  for (let i = 0; i < 600; i++) await bench.receive(data(1, Buffer.alloc(16_384)));
  const given = bench.socket.of('WINDOW_UPDATE').filter(({ stream }) => stream === 1);
  const allowed = 65_535 + given.reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
  t.ok(allowed - 600 * 16_384 <= MAX_STREAM_WINDOW, 'the peer may never have more than 1 MiB under way');
  t.ok(bench.account.reserved > 900_000 && bench.account.reserved < MAX_STREAM_WINDOW, 'what it grew by is reserved');
  await bench.receive(data(1, '', END_STREAM));
  bench.request.answer(204);
  t.equal(bench.account.reserved, 0);
});

test('the window stays as it is when the account has no room', async t => {
  const bench = await ServerBench.open(t);
  bench.account.roomToGrow = false;
  await bench.receive(headers(1, POST, 0));
  for (let i = 0; i < 100; i++) await bench.receive(data(1, Buffer.alloc(16_384)));
  const given = bench.socket.of('WINDOW_UPDATE').filter(({ stream }) => stream === 1);
  const allowed = 65_535 + given.reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
  t.ok(allowed - 100 * 16_384 <= 65_535);
  await bench.receive(rst(1));
});

test('the connection’s window never stands in the way', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, POST, 0));
  for (let i = 0; i < 1_100; i++) await bench.receive(data(1, Buffer.alloc(16_384)));
  t.equal(bench.request.body.length, 1_100 * 16_384, '18 MB through a window of 16 MiB');
  t.ok(bench.socket.of('WINDOW_UPDATE').filter(({ stream }) => stream === 0).length >= 2);
  await bench.receive(rst(1));
});

test('an upload that is dropped because the answer is there gives everything back', async t => {
  const bench = await ServerBench.open(t, { consume: false });
  await bench.receive(headers(1, POST, 0), data(1, Buffer.alloc(16_384)), data(1, Buffer.alloc(16_384), END_STREAM));
  bench.request.answer(503, 'sorry');
  t.equal(bench.account.held, 0, 'a request that was complete and is answered holds nothing');
});

test('an answer that is complete stays held until it was passed on', async t => {
  const bench = await ClientBench.open(t);
  const { response, upstream } = bench.send();
  response.consume = false;
  await bench.receive(headers(1, [':status', '200'], 0), data(1, 'hello', END_STREAM));
  t.equal(bench.connection.openStreams, 0);
  t.equal(bench.account.held, 5);
  upstream.responseConsumed(5);
  t.equal(bench.account.held, 0);
});

test('an upload waits for the server’s window', async t => {
  const bench = await ClientBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 0 });
  const { response, upstream } = bench.send(request('POST'), [], false);
  upstream.sendData(Buffer.from('hello'), true);
  await bench.settle();
  t.equal(response.sent, 0);
  await bench.receive(windowUpdate(1, 5), headers(1, [':status', '200']));
  t.equal(bench.socket.body(1), 'hello');
  t.equal(response.sent, 5);
});

test('small chunks that wait are gathered, and come out as they went in', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 6_000 }), { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 9_000 }), { maxLength: 20 }),
      async (sizes, windows) => {
        const bench = await ServerBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 0 });
        await bench.receive(windowUpdate(0, 10_000_000), headers(1, GET));
        const { downstream } = bench.request;
        downstream.sendHead(OK, [], false);
        let expected = '';
        const turns = Math.max(sizes.length, windows.length);
        for (let i = 0; i < turns; i++) {
          const chunk = Buffer.alloc(sizes[i] ?? 0, String.fromCharCode(97 + (i % 26)));
          expected += chunk.toString('latin1');
          downstream.sendData(chunk, false);
          chunk.fill('!', chunk.length >= 4_096 ? chunk.length : 0); // a gathered chunk is a copy
          if (windows[i] !== undefined) await bench.receive(windowUpdate(1, windows[i] as number));
        }
        downstream.sendData(Buffer.alloc(0), true);
        await bench.receive(windowUpdate(1, 1_000_000));
        t.equal(bench.socket.body(1) === expected, true);
        t.equal(bench.socket.of('DATA').filter(({ flags }) => flags === END_STREAM).length, 1);
      },
    ),
    { numRuns: 30 },
  );
});
