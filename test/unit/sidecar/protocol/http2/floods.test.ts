import { Fields, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { encodeFields } from '../../../../../sidecar/protocol/http2/hpack/encoder.ts';
import { ClientBench, ServerBench, test } from './recorders.ts';
import {
  ACK,
  block,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  goaway,
  headers,
  INITIAL_WINDOW_SIZE,
  POST,
  ping,
  rst,
  settings,
  windowUpdate,
} from './wire.ts';

const CALM = 11;
const ended = (bench: ServerBench | ClientBench): boolean => bench.news().at(-1)?.endsWith(` ${CALM}`) ?? false;
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

test('rapid reset: requests that are cancelled at once end the connection', async t => {
  const bench = await ServerBench.open(t);
  for (let i = 0; i < 1_001 && !bench.closed; i++) await bench.receive(headers(2 * i + 1, GET), rst(2 * i + 1));
  t.ok(bench.closed && ended(bench));
  t.ok(
    bench.requests.every(({ reset }) => reset !== undefined),
    'every exchange was told',
  );
});

test('rapid reset by the rules: requests that break a rule, or more than may be open', async t => {
  const malformed = await ServerBench.open(t);
  for (let i = 0; i < 1_001 && !malformed.closed; i++) await malformed.receive(headers(2 * i + 1, ['x', 'y']));
  t.ok(malformed.closed && ended(malformed));
  const refused = await ServerBench.open(t, { maxConcurrentStreams: 1 });
  for (let i = 0; i < 1_002 && !refused.closed; i++) await refused.receive(headers(2 * i + 1, GET));
  t.ok(refused.closed && ended(refused));
});

test('ordinary cancellation is no flood: one request in two is cancelled, and thousands go through', async t => {
  const bench = await ServerBench.open(t);
  for (let i = 0; i < 3_000; i++) {
    await bench.receive(headers(4 * i + 1, GET), rst(4 * i + 1), headers(4 * i + 3, GET));
    bench.request.answer(204);
  }
  t.notOk(bench.closed);
});

test('a link carries the cancellations of many callers', async t => {
  const bench = await ServerBench.open(t, { link: true });
  for (let i = 0; i < 2_000; i++) await bench.receive(headers(2 * i + 1, GET), rst(2 * i + 1));
  t.notOk(bench.closed);
});

test('a server that refuses every request is no flood', async t => {
  const bench = await ClientBench.open(t);
  for (let i = 0; i < 1_500; i++) {
    bench.send();
    await bench.receive(rst(2 * i + 1, 7));
  }
  t.notOk(bench.closed);
});

test('frames that bring nothing, in number, end the connection', async t => {
  const kinds: readonly [string, (i: number) => Buffer][] = [
    ['PING', () => ping()],
    ['PING ACK', () => ping(ACK)],
    ['SETTINGS', () => settings()],
    ['SETTINGS ACK', () => frame('SETTINGS', ACK, 0)],
    ['SETTINGS that move the windows to and fro', i => settings({ [INITIAL_WINDOW_SIZE]: 1_000 + (i % 2) })],
    [
      'SETTINGS of many entries',
      () => frame('SETTINGS', 0, 0, Buffer.alloc(6 * 2_000, Buffer.from([0, 99, 0, 0, 0, 0]))),
    ],
    ['PRIORITY', () => frame('PRIORITY', 0, 1, Buffer.from([0, 0, 0, 0, 0]))],
    ['empty DATA', () => data(1, '')],
    ['DATA of nothing but padding', () => frame('DATA', 8, 1, Buffer.from([0]))],
    ['tiny WINDOW_UPDATE of a stream', () => windowUpdate(1, 1)],
    ['tiny WINDOW_UPDATE of the connection', () => windowUpdate(0, 1)],
    ['RST_STREAM of a stream that is over', () => rst(3)],
    ['GOAWAY', () => goaway(0)],
    ['unknown frames', () => frame(0x42, 0, 0)],
  ];
  for (const [name, make] of kinds) {
    test(
      name,
      async t => {
        const bench = await ServerBench.open(t);
        await bench.receive(headers(3, GET));
        bench.request.answer(204);
        await bench.receive(headers(5, POST, 0), headers(1 + 6, POST, 0));
        const id = name.includes('DATA') || name.includes('of a stream') ? 7 : 0;
        const bytes = times(1_010, i => make(i)).map(each => {
          if (id !== 0 && each.readUInt32BE(5) === 1) each.writeUInt32BE(id, 5);
          return each;
        });
        await bench.receive(...bytes);
        t.ok(bench.closed && ended(bench));
        t.ok(bench.socket.written.length < 1_100, 'what it made us write is bounded');
      },
      t,
    );
  }
});

test('the same frames over a long time are no flood', async t => {
  const bench = await ServerBench.open(t);
  for (let i = 0; i < 100; i++) {
    await bench.receive(...times(90, () => ping()));
    bench.clock.advance(1_000);
  }
  t.notOk(bench.closed);
});

test('a client that acknowledges every small message, and measures its bandwidth, is no flood', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, GET));
  bench.request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
  for (let i = 0; i < 3_000; i++) {
    bench.request.downstream.sendData(Buffer.from('message'), false);
    await bench.receive(windowUpdate(1, 7), windowUpdate(0, 7), ping());
  }
  t.notOk(bench.closed);
  await bench.receive(rst(1));
});

test('a CONTINUATION flood: neither many frames nor many bytes are gathered', async t => {
  const many = await ServerBench.open(t);
  await many.receive(frame('HEADERS', END_STREAM, 1), ...times(9, () => frame('CONTINUATION', 0, 1)));
  t.ok(many.closed && ended(many));
  const large = await ServerBench.open(t);
  await large.receive(
    frame('HEADERS', END_STREAM, 1, Buffer.alloc(16_384)),
    ...times(8, () => frame('CONTINUATION', 0, 1, Buffer.alloc(16_384))),
  );
  t.ok(large.closed && ended(large));
  t.equal(large.requests.length, 0);
});

test('an HPACK bomb: a large entry that is named thousands of times is a head too large, and costs no memory', async t => {
  const bench = await ServerBench.open(t);
  const insert = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x1e]), Buffer.alloc(4_000, 'y')]); // 127 + 1 + 30·128 = 3,968
  const bomb = Buffer.concat([encodeFields(GET), insert.subarray(0, 6 + 3_968), Buffer.alloc(10_000, 0xbe)]);
  const before = process.memoryUsage().heapUsed;
  await bench.receive(block(1, bomb));
  t.same(
    bench.refused.map(({ code }) => code),
    ['HEAD_TOO_LARGE'],
  );
  t.ok(process.memoryUsage().heapUsed - before < 8_000_000, 'not the 40 MB that it stands for');
});

test('games with the table size: thousands of updates cost nothing, one above ours ends the connection', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(
    block(1, Buffer.concat([Buffer.alloc(10_000, 0x20), Buffer.from([0x3f, 0xe1, 0x1f]), encodeFields(GET)])),
  );
  t.equal(bench.request.head.path, '/');
  bench.request.answer(204);
  await bench.receive(block(3, Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), encodeFields(GET)])));
  t.equal(bench.news().at(-1), 'GOAWAY 1 9');
});

test('zero windows: a client that takes nothing holds what one window of the source is, and no more', async t => {
  const bench = await ServerBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 0 });
  for (let i = 0; i < 50; i++) {
    await bench.receive(headers(2 * i + 1, GET));
    bench.request.downstream.sendHead(new ResponseHead(200, new Fields([])), [], false);
    bench.request.downstream.sendData(Buffer.alloc(16_384), false);
  }
  t.ok(
    bench.requests.every(({ sent }) => sent === 0),
    'no source gets credit',
  );
});

test('a client that asks on and on and reads nothing is ended', async t => {
  const bench = await ServerBench.open(t);
  bench.socket.stick();
  for (let i = 0; i < 3_000 && !bench.closed; i++) {
    await bench.receive(headers(2 * i + 1, GET));
    if (!bench.closed) bench.request.answer(204, '', 'big', 'x'.repeat(8_000));
  }
  t.ok(bench.closed);
  t.ok(bench.requests.length < 1_200, `after ${bench.requests.length} answers of 8 kB`);
});

test('DATA of one byte costs one byte of the account, and no read buffer is kept for it', async t => {
  const bench = await ServerBench.open(t, { consume: false });
  await bench.receive(headers(1, POST, 0));
  await bench.receive(...times(5_000, () => data(1, 'x')));
  t.equal(bench.account.held, 5_000);
  await bench.receive(rst(1));
  const client = await ClientBench.open(t, {}, { [INITIAL_WINDOW_SIZE]: 0 });
  const { upstream } = client.send(undefined, [], false);
  const pools = new Set<ArrayBufferLike>();
  for (let i = 0; i < 5_000; i++) {
    const read = Buffer.allocUnsafeSlow(65_536);
    pools.add(read.buffer);
    upstream.sendData(read.subarray(100, 101), false);
    if (i === 50) break;
  }
  await client.receive(windowUpdate(1, 100), headers(1, [':status', '200']));
  t.equal(
    client.socket.of('DATA').reduce((sum, { payload }) => sum + payload.length, 0),
    pools.size,
  );
  t.ok(client.socket.of('DATA').length <= 2, 'they go out gathered');
});

test('HEADERS on a stream that we have just reset are decoded and dropped', async t => {
  const bench = await ServerBench.open(t);
  await bench.receive(headers(1, POST, 0));
  bench.request.answer(413);
  await bench.receive(frame('HEADERS', END_STREAM | END_HEADERS, 1, Buffer.from([0x40, 1, 0x6e, 1, 0x76])));
  await bench.receive(block(3, Buffer.concat([encodeFields(GET), Buffer.from([0xbe])])));
  t.same(bench.request.head.fields.list, ['n', 'v']);
  bench.request.answer(204);
});
