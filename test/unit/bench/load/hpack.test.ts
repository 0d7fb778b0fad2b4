import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { traceparent, uniquePath } from '../../../../bench/load/fresh-fields.ts';
import { hpackLiteral, TableEncoder, writeInteger, writeString } from '../../../../bench/load/hpack.ts';
import * as http2 from '../../../../bench/load/http2-frames.ts';

const AUTHORITY = { name: ':authority', staticName: 1 };
const TRACEPARENT = { name: 'traceparent', staticName: 0 };
const USER_AGENT = { name: 'user-agent', staticName: 58 };
const GET_HTTP = [0x82, 0x86];
const PATH = 4;

/** Sends blocks to Node's own HTTP/2 server and returns what it understood. */
const understood = async (
  tableBytes: number,
  blocks: readonly Buffer[],
): Promise<{ path: string; fields: Record<string, unknown> }[]> => {
  const server = createServer({ settings: { headerTableSize: tableBytes } });
  const requests: { path: string; fields: Record<string, unknown> }[] = [];
  const all = new Promise<void>(resolve => {
    server.on('stream', (stream: ServerHttp2Stream, fields) => {
      requests.push({ path: String(fields[':path']), fields: { ...fields } });
      stream.respond({ ':status': 200 }, { endStream: true });
      if (requests.length === blocks.length) resolve();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(Buffer.concat([http2.PREFACE, http2.settings([])]));
  await once(socket, 'data');
  socket.write(http2.frame(http2.SETTINGS, http2.ACK, 0, Buffer.alloc(0)));
  blocks.forEach((block, i) => {
    socket.write(http2.frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 2 * i + 1, block));
  });
  socket.resume();
  await all;
  socket.destroy();
  server.close();
  return requests;
};

const encode = (encoder: TableEncoder, n: number): Buffer => {
  const target = Buffer.alloc(512);
  let at = encoder.begin(target, 0);
  for (const byte of GET_HTTP) target[at++] = byte;
  at = encoder.write(target, at, AUTHORITY, 'app');
  at = writeString(target, writeInteger(target, at, 0, 4, PATH), uniquePath(n));
  at = encoder.write(target, at, USER_AGENT, 'Outrider Bench 1.0');
  at = encoder.write(target, at, TRACEPARENT, traceparent(n));
  return target.subarray(0, at);
};

for (const tableBytes of [4_096, 256, 0]) {
  t.test(`Node's HTTP/2 server reads generated heads with a table of ${tableBytes} bytes`, async t => {
    const encoder = new TableEncoder(tableBytes);
    const count = 150;
    const requests = await understood(
      tableBytes,
      Array.from({ length: count }, (_, n) => encode(encoder, n)),
    );
    t.equal(requests.length, count);
    t.same(
      requests.map(({ path }) => path),
      Array.from({ length: count }, (_, n) => uniquePath(n)),
    );
    t.ok(
      requests.every(({ fields }, n) => fields.traceparent === traceparent(n)),
      'every traceparent is the right one',
    );
    t.ok(
      requests.every(({ fields }) => fields['user-agent'] === 'Outrider Bench 1.0'),
      'stable fields survive eviction',
    );
  });
}

t.test('a repeated field is one byte', t => {
  const encoder = new TableEncoder(4_096);
  const target = Buffer.alloc(64);
  t.ok(encoder.write(target, 0, USER_AGENT, 'bench') > 1);
  t.equal(encoder.write(target, 0, USER_AGENT, 'bench'), 1);
  t.end();
});

/** Bits as bytes, filled up with ones. */
const bytesOf = (bits: string): number[] => {
  const full = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  return Array.from({ length: full.length / 8 }, (_, i) => Number.parseInt(full.slice(i * 8, i * 8 + 8), 2));
};

t.test('strings are Huffman-coded where all their characters are in the small alphabet', t => {
  // RFC 7541 Appendix B: t 01001, e 00101, a 00011, / 011000, b 100011.
  const coded = [0x00, 0x82, ...bytesOf('0100100101'), 0x83, ...bytesOf('00011011000100011')];
  t.same(hpackLiteral('te', 'a/b'), Buffer.from(coded));
  t.same(hpackLiteral('X', 'Y'), Buffer.from([0x00, 0x01, 0x58, 0x01, 0x59]));
  t.end();
});
