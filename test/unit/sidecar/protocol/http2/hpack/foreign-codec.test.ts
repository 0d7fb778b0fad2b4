/** Node's own HTTP/2 (nghttp2) as the other side: it uses Huffman coding and the dynamic table, both of which we never send. */
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { HpackDecoder } from '../../../../../../sidecar/protocol/http2/hpack/decoder.ts';
import { encodeFields } from '../../../../../../sidecar/protocol/http2/hpack/encoder.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEADERS = 1;
const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

/** The header blocks among the bytes of a client, each in one frame without padding or priority. */
const headerBlocks = (bytes: Buffer): Buffer[] => {
  const blocks: Buffer[] = [];
  for (let at = PREFACE.length; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    const priority = ((bytes[at + 4] as number) & 0x20) === 0 ? 0 : 5;
    if (bytes[at + 3] === HEADERS && end <= bytes.length) blocks.push(bytes.subarray(at + 9 + priority, end));
    at = end;
  }
  return blocks;
};

const isValueOctet = (octet: number): boolean => octet >= 0x20 && octet !== 0x7f;

t.test('blocks of nghttp2 decode, with every octet that a value may have in Huffman coding', async t => {
  const requests = Array.from({ length: 8 }, (_, i) => ({
    ':path': `/books/${i}`,
    'user-agent': 'nghttp2',
    'x-same': 'the same each time',
    // 32 octets, some with codes of up to 28 bits, in a value that is shorter when it is Huffman-coded.
    'x-octets': `${'a'.repeat(300)}${String.fromCharCode(...Array.from({ length: 32 }, (_, k) => i * 32 + k).filter(isValueOctet))}z`,
  }));
  let received = Buffer.alloc(0);
  const server = net.createServer(socket => {
    socket.write(frame(4, 0, 0, Buffer.alloc(0)));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (headerBlocks(received).length === requests.length) server.emit('complete');
    });
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const complete = once(server, 'complete');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (const headers of requests) client.request(headers).on('error', () => {});
  await complete;
  client.destroy();
  server.close();

  const decoder = new HpackDecoder({ maxTableBytes: 4_096, maxListBytes: 65_536, maxFields: 100 });
  for (const [i, block] of headerBlocks(received).entries()) {
    const list: string[] = [];
    t.equal(decoder.decode(block, 0, block.length, list), '');
    for (const [name, value] of Object.entries(requests[i] ?? {})) t.equal(list[list.indexOf(name) + 1], value, name);
  }
  t.ok(decoder.epoch >= requests.length, 'the dynamic table was used');
});

t.test('nghttp2 reads what we encode', async t => {
  const fields = ['x-long', 'v'.repeat(5_000), 'x-empty', '', 'accept-encoding', 'gzip, deflate', 'via', 'mesh'];
  const server = http2.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const got = once(server, 'stream') as Promise<[http2.ServerHttp2Stream, http2.IncomingHttpHeaders]>;
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  const pseudo = [':method', 'GET', ':scheme', 'http', ':path', '/some?query', ':authority', 'books.default'];
  const END_STREAM_AND_HEADERS = 5;
  socket.write(PREFACE);
  socket.write(frame(4, 0, 0, Buffer.alloc(0)));
  socket.write(frame(HEADERS, END_STREAM_AND_HEADERS, 1, encodeFields([...pseudo, ...fields])));
  const [, headers] = await got;
  const list = [...pseudo, ...fields];
  for (let i = 0; i < list.length; i += 2) t.equal(headers[list[i] as string], list[i + 1], list[i] as string);
  socket.destroy();
  server.close();
});
