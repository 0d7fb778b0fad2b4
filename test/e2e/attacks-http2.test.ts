/** Hostile HTTP/2 through a pair of sidecars to an HTTP/1.1 app, judged by the bytes that come out there and by what the connection is told. */
import t, { type Test } from 'tap';
import { encodeFields } from '../../sidecar/protocol/http2/hpack/encoder.ts';
import {
  ACK,
  block,
  data,
  END_STREAM,
  frame,
  headers,
  INITIAL_WINDOW_SIZE,
  ping,
  rst,
  settings,
  windowUpdate,
} from '../unit/sidecar/protocol/http2/wire.ts';
import { RawHttp2 } from './attacks/raw-http2.ts';
import { startStage } from './attacks/stage.ts';

const stage = await startStage();
const { app, pair } = stage;

const ENHANCE_YOUR_CALM = 11;
const COMPRESSION_ERROR = 9;
/** What the same floods may add to a sidecar's memory the second time: what the garbage collector has not looked at yet. */
const FLAT_BYTES = 24 * 1_048_576;
const ATTACK = [':method', 'GET', ':scheme', 'http', ':path', '/attack', ':authority', 'app'];
const UPLOAD = [':method', 'POST', ':scheme', 'http', ':path', '/attack', ':authority', 'app'];
const BIG = [':method', 'GET', ':scheme', 'http', ':path', '/big', ':authority', 'app'];
const GOOD = [':method', 'GET', ':scheme', 'http', ':path', '/good', ':authority', 'app'];
/** The request with other or further fields. */
const changed = (name: string, value: string): string[] => {
  const list = [...ATTACK];
  list[list.indexOf(name) + 1] = value;
  return list;
};

/** Name and fields of a head that HTTP/1.1 could read in another way, or that is none. */
const HEADS: readonly (readonly [string, readonly string[]])[] = [
  ...['\r\nX: y', '\n', '\r', '\0', 'a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app'].flatMap(
    (evil): [string, string[]][] => {
      const shown = JSON.stringify(evil);
      return [
        [`${shown} in a value`, [...ATTACK, 'x', `a${evil}b`]],
        [`${shown} in a name`, [...ATTACK, `x${evil.toLowerCase()}`, 'b']],
        [`${shown} in :path`, changed(':path', `/attack${evil}`)],
        [`${shown} in :method`, changed(':method', `GET${evil}`)],
        [`${shown} in :authority`, changed(':authority', `app${evil}`)],
        [`${shown} in :scheme`, changed(':scheme', `http${evil}`)],
      ];
    },
  ),
  ['`:` in a name', [...ATTACK, 'a:b', 'c']],
  ['`:` at the end of a name', [...ATTACK, 'transfer-encoding:', 'chunked']],
  ['a space in a name', [...ATTACK, 'a b', 'c']],
  ['no name', [...ATTACK, '', 'c']],
  ['white space before a value', [...ATTACK, 'a', ' b']],
  ['transfer-encoding', [...ATTACK, 'transfer-encoding', 'chunked']],
  ['connection', [...ATTACK, 'connection', 'keep-alive']],
  ['keep-alive', [...ATTACK, 'keep-alive', 'timeout=5']],
  ['proxy-connection', [...ATTACK, 'proxy-connection', 'keep-alive']],
  ['upgrade', [...ATTACK, 'upgrade', 'websocket']],
  ['te that is not trailers', [...ATTACK, 'te', 'chunked']],
  ['an upper-case name', [...ATTACK, 'Accept', '*/*']],
  ['an upper-case pseudo-header field', [...ATTACK, ':Path', '/smuggled']],
  ['two :path', [...ATTACK, ':path', '/smuggled']],
  ['two :method', [':method', 'GET', ...ATTACK]],
  ['a pseudo-header field behind others', [...ATTACK.slice(0, 6), 'x', 'y', ...ATTACK.slice(6)]],
  ['a pseudo-header field that nobody knows', [':evil', 'x', ...ATTACK]],
  ['a response’s pseudo-header field', [':status', '200', ...ATTACK]],
  ['no :path', ATTACK.filter((_, i) => i < 4 || i > 5)],
  ['an empty :path', changed(':path', '')],
  ['a :path without slash', changed(':path', 'attack')],
  ['a :path with a space', changed(':path', '/attack HTTP/1.1')],
  ['no :method', ATTACK.slice(2)],
  ['no :scheme', ATTACK.filter((_, i) => i < 2 || i > 3)],
  ['a :method with a space', changed(':method', 'GET /smuggled HTTP/1.1')],
  ['an :authority with user information', changed(':authority', 'me@app')],
  ['an :authority with a path', changed(':authority', 'app/x')],
  ['another host', [...ATTACK, 'host', 'other']],
  ['two hosts', [...ATTACK, 'host', 'app', 'host', 'app']],
  ['a CONNECT with a path', changed(':method', 'CONNECT')],
  ['a tunnel of HTTP/2', [':protocol', 'h2c', ...changed(':method', 'CONNECT')]],
  ['a tunnel of HTTP/2 in capitals', [':protocol', 'H2C', ...changed(':method', 'CONNECT')]],
  ['content-length without a body', [...ATTACK, 'content-length', '5']],
  ['two content-lengths', [...ATTACK, 'content-length', '0', 'content-length', '1']],
  ['a content-length that is no number', [...ATTACK, 'content-length', '+0']],
];

t.test(
  'HTTP/2 to HTTP/1.1 downgrade: CR/LF/NUL or `:` in names and values, `transfer-encoding`, `connection`, wrong `content-length`, pseudo-header tricks, upper-case names',
  async t => {
    app.received = '';
    using client = new RawHttp2(pair.outbound);
    let stream = -1;
    for (const [name, list] of HEADS) {
      stream += 2;
      client.write(headers(stream, list));
      await client.until(() => client.reset(stream) !== undefined || client.status(stream) !== undefined);
      t.equal(client.reset(stream), 1, `${name}: a stream error`);
      t.equal(client.status(stream), undefined, `${name}: no answer`);
    }
    t.equal(app.received, '', 'nothing of them reaches the app');
    for (const [name, length, body] of [
      ['longer', '3', 'hello'],
      ['shorter', '9', 'hello'],
    ] as const) {
      stream += 2;
      client.write(headers(stream, [...UPLOAD, 'content-length', length], 0), data(stream, body, END_STREAM));
      await client.until(() => client.reset(stream) !== undefined || client.status(stream) !== undefined);
      t.equal(client.reset(stream), 1, `a body that is ${name} than its content-length: a stream error`);
      t.equal(client.status(stream), undefined);
    }
    stream += 2;
    client.write(headers(stream, UPLOAD, 0), headers(stream, ['transfer-encoding', 'chunked']));
    await client.until(() => client.reset(stream) !== undefined);
    t.equal(client.reset(stream), 1, 'transfer-encoding in trailers: a stream error');
    t.notMatch(app.received, /smuggled|0\r\n\r\n|hello{2}|hello$/, 'no body is complete');
    stream += 2;
    client.write(headers(stream, GOOD));
    await client.until(() => client.status(stream) !== undefined);
    t.equal(client.status(stream), '200', 'the connection is good for the next request');
    await stage.othersAreServed(t);
  },
);

/** 4,000 bytes in one field that is put into the table, named once more by each further byte. */
const bomb = (): Buffer => {
  const insert = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x1e]), Buffer.alloc(3_968, 'y')]);
  return Buffer.concat([encodeFields(ATTACK), insert, Buffer.alloc(10_000, 0xbe)]);
};
const many = (make: (i: number) => Buffer, count = 2_500): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const CONTINUATION = frame('CONTINUATION', 0, 1, Buffer.alloc(1_000));

/** Name, bytes, error code of the GOAWAY. */
const FLOODS: readonly (readonly [string, Buffer, number])[] = [
  ['rapid reset', many(i => Buffer.concat([headers(2 * i + 1, ATTACK), rst(2 * i + 1)])), ENHANCE_YOUR_CALM],
  ['rapid reset by rules that are broken', many(i => headers(2 * i + 1, ['x', 'y'])), ENHANCE_YOUR_CALM],
  [
    'CONTINUATION',
    Buffer.concat([frame('HEADERS', END_STREAM, 1, encodeFields(ATTACK)), many(() => CONTINUATION, 200)]),
    ENHANCE_YOUR_CALM,
  ],
  [
    'empty CONTINUATION',
    Buffer.concat([frame('HEADERS', END_STREAM, 1), many(() => frame('CONTINUATION', 0, 1))]),
    ENHANCE_YOUR_CALM,
  ],
  ['SETTINGS', many(() => settings()), ENHANCE_YOUR_CALM],
  ['SETTINGS acknowledgements', many(() => frame('SETTINGS', ACK, 0)), ENHANCE_YOUR_CALM],
  ['PING', many(() => ping()), ENHANCE_YOUR_CALM],
  ['empty DATA', Buffer.concat([headers(1, UPLOAD, 0), many(() => data(1, ''))]), ENHANCE_YOUR_CALM],
  ['WINDOW_UPDATE', many(() => windowUpdate(0, 1)), ENHANCE_YOUR_CALM],
  ['PRIORITY', many(i => frame('PRIORITY', 0, 2 * i + 3, Buffer.from([0, 0, 0, 1, 0]))), ENHANCE_YOUR_CALM],
  ['frames that nobody knows', many(() => frame(0x77, 0, 0)), ENHANCE_YOUR_CALM],
  [
    'a table larger than ours',
    block(1, Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), encodeFields(ATTACK)])),
    COMPRESSION_ERROR,
  ],
  ['an integer without end', block(1, Buffer.alloc(100, 0xff)), COMPRESSION_ERROR],
];

/** All of them, once. */
const flood = async (t: Test): Promise<void> => {
  for (const [name, bytes, code] of FLOODS) {
    using client = new RawHttp2(pair.outbound);
    client.write(bytes);
    await client.until(() => client.goaway !== undefined);
    t.equal(client.goaway, code, name);
    await client.until(() => client.closed);
    t.ok(client.closed, `${name}: the connection ends`);
  }
  await stage.othersAreServed(t, 'the floods');

  using bombs = new RawHttp2(pair.outbound);
  bombs.write(many(i => block(2 * i + 1, bomb()), 20));
  await bombs.until(() => bombs.status(39) !== undefined);
  t.equal(bombs.status(39), '431', 'an HPACK bomb is a head too large');

  using games = new RawHttp2(pair.outbound);
  games.write(block(1, Buffer.concat([many(() => Buffer.from([0x20, 0x3f, 0xe1, 0x1f]), 3_000), encodeFields(GOOD)])));
  await games.until(() => games.status(1) !== undefined);
  t.equal(games.status(1), '200', 'table sizes that go up and down cost nothing');

  using stalled = new RawHttp2(pair.outbound, { [INITIAL_WINDOW_SIZE]: 0 });
  stalled.write(many(i => headers(2 * i + 1, BIG), 100));
  await stalled.until(() => stalled.status(199) !== undefined);
  t.equal(stalled.status(199), '200', 'a hundred answers for which there is no window');

  using drops = new RawHttp2(pair.outbound);
  drops.write(headers(1, [...UPLOAD, 'content-length', '20000'], 0));
  await drops.writeAll(many(i => data(1, 'x', i === 19_999 ? END_STREAM : 0), 20_000));
  await drops.until(() => drops.status(1) !== undefined);
  t.equal(drops.status(1), '200', '20,000 DATA of one byte');
  await stage.othersAreServed(t, 'stalls and drops');
};

t.test(
  'rapid reset, CONTINUATION flood, SETTINGS/PING/empty DATA/WINDOW_UPDATE/PRIORITY floods, HPACK bombs, table size games, zero-window stalls, 1-byte DATA',
  async t => {
    app.answers.set('/big', `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`);
    const memory = (): number => Math.max(...[pair.a, pair.b].map(({ process }) => process.residentBytes()));
    // Once for code and buffers that any load brings about.
    await flood(t);
    const before = memory();
    await flood(t);
    const grown = memory() - before;
    t.ok(grown < FLAT_BYTES, `memory is flat: ${(grown / 1_048_576).toFixed(1)} MiB more the second time`);
  },
);
