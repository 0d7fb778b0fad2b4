/** What HPACK costs per header block. `node bench/micro/hpack.ts` */
import { bench, group, run } from 'mitata';
import { HpackDecoder } from '../../sidecar/protocol/http2/hpack/decoder.ts';
import { encodeFields, writeVolatileField } from '../../sidecar/protocol/http2/hpack/encoder.ts';
import { findVolatileTail } from '../../sidecar/protocol/http2/hpack/volatile-tail.ts';
import { hpackLiteral, TableEncoder, type TableField } from '../load/hpack.ts';

const STABLE = Object.entries({
  ':method': 'POST',
  ':scheme': 'http',
  ':path': '/catalogue.Books/GetBook',
  ':authority': 'books.default:8080',
  'user-agent': 'grpc-node-js/1.14.7',
  'content-type': 'application/grpc',
  te: 'trailers',
  'accept-encoding': 'gzip, deflate',
  authorization: 'Bearer 6f9619ff8b86d011b42d00c04fc964ff',
  'outrider-to': 'books.default',
  'outrider-port': '8080',
  'outrider-route': 'default/books/0',
}).flat();
const VOLATILE = Object.entries({
  'content-length': '1024',
  'outrider-timeout-ms': '29998',
  'x-request-id': '6f9619ff-8b86-d011-b42d-00c04fc964ff',
}).flat();

const newDecoder = (): HpackDecoder => new HpackDecoder({ maxTableBytes: 4_096, maxListBytes: 65_536, maxFields: 200 });
const stable = encodeFields(STABLE);
const tail = Buffer.alloc(512);
let tailBytes = 0;
for (let i = 0; i < VOLATILE.length; i += 2)
  tailBytes = writeVolatileField(tail, tailBytes, VOLATILE[i]!, VOLATILE[i + 1]!);
const whole = Buffer.concat([stable, tail.subarray(0, tailBytes)]);

/** Blocks of an ordinary client: what repeats is indexed, one field is new each time and enters the table. */
const clientBlocks = (count: number): Buffer[] => {
  const encoder = new TableEncoder(4_096);
  const fields = new Map<string, TableField>();
  const field = (name: string, staticName: number): TableField => {
    const known = fields.get(name) ?? { name, staticName };
    fields.set(name, known);
    return known;
  };
  return Array.from({ length: count }, (_, i) => {
    const out = Buffer.alloc(1_024);
    out[0] = 0x83;
    out[1] = 0x86;
    let at = encoder.write(out, 2, field(':path', 4), '/books');
    at = encoder.write(out, at, field(':authority', 1), 'books.default');
    at = encoder.write(out, at, field('user-agent', 58), 'bench-1');
    const id = (i + 4_096).toString(16).padStart(32, '0');
    at = encoder.write(out, at, field('traceparent', 0), `00-${id}-00f067aa0ba902b7-01`);
    return out.subarray(0, at);
  });
};

group('decode', () => {
  const link = newDecoder();
  bench('a request on the link, nothing interned: 15 fields', () => link.decode(whole, 0, whole.length, []));
  bench('its volatile tail: 3 fields', () => link.decode(tail, 0, tailBytes, []));
  const indexed = newDecoder();
  const inserting = Buffer.concat([
    Buffer.from([0x83, 0x86]),
    ...['user-agent', 'grpc-accept-encoding', 'te'].map(name => {
      const literal = Buffer.from(hpackLiteral(name, 'some value'));
      literal[0] = 0x40;
      return literal;
    }),
  ]);
  indexed.decode(inserting, 0, inserting.length, []);
  const allIndexed = Buffer.from([0x83, 0x86, 0x84, 0xc0, 0xbf, 0xbe]);
  bench('indexed fields only: 6', () => indexed.decode(allIndexed, 0, allIndexed.length, []));
  const client = newDecoder();
  const blocks = clientBlocks(8_192);
  let next = 0;
  bench('an ordinary client, fresh traceparent, Huffman-coded and inserted', () => {
    const block = blocks[next++ & 8_191]!;
    return client.decode(block, 0, block.length, []);
  });
});

group('encode', () => {
  bench('a request on the link: 12 fields', () => encodeFields(STABLE));
  const out = Buffer.alloc(512);
  bench('its volatile tail: 3 fields', () => {
    let at = 0;
    for (let i = 0; i < VOLATILE.length; i += 2) at = writeVolatileField(out, at, VOLATILE[i]!, VOLATILE[i + 1]!);
    return at;
  });
});

group('find the volatile tail', () => {
  bench('behind 12 fields', () => findVolatileTail(whole, 0, whole.length));
});

await run();
