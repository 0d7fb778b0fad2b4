import fc from 'fast-check';
import t from 'tap';
import { HpackDecoder } from '../../../../../../sidecar/protocol/http2/hpack/decoder.ts';

const LIMITS = { maxTableBytes: 4_096, maxListBytes: 65_536, maxFields: 1_000 };
const decoderOf = (limits: Partial<typeof LIMITS> = {}): HpackDecoder => new HpackDecoder({ ...LIMITS, ...limits });
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const read = (decoder: HpackDecoder, block: Buffer): { reason: string; list: string[] } => {
  const list: string[] = [];
  return { reason: decoder.decode(block, 0, block.length, list), list };
};
/** A literal with plain strings: `kind` 0x00 without indexing, 0x40 with, 0x10 never. */
const literal = (kind: number, name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([kind]), plain(name), plain(value)]);
const plain = (text: string): Buffer => Buffer.concat([integer(text.length, 127, 0), Buffer.from(text, 'latin1')]);
const integer = (value: number, mask: number, first: number): Buffer => {
  if (value < mask) return Buffer.from([first | value]);
  const bytes = [first | mask];
  let left = value - mask;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return Buffer.from([...bytes, left]);
};

const flat = (fields: Readonly<Record<string, string>>): string[] => Object.entries(fields).flat();
const GET = flat({ ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' });
const GET_UNCACHED = [...GET, 'cache-control', 'no-cache'];
const GET_CUSTOM = flat({
  ':method': 'GET',
  ':scheme': 'https',
  ':path': '/index.html',
  ':authority': 'www.example.com',
  'custom-key': 'custom-value',
});
const FIRST_DATE = 'Mon, 21 Oct 2013 20:13:21 GMT';
const LAST_DATE = 'Mon, 21 Oct 2013 20:13:22 GMT';
const answer = (status: string, date: string): string[] =>
  flat({ ':status': status, 'cache-control': 'private', date, location: 'https://www.example.com' });
const COOKIE = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const LAST = [...answer('200', LAST_DATE), 'content-encoding', 'gzip', 'set-cookie', COOKIE];

t.test('the examples of RFC 7541 appendix C decode as they should', t => {
  const sequences: readonly {
    name: string;
    table: number;
    blocks: readonly (readonly [string, readonly string[]])[];
  }[] = [
    {
      name: 'C.2.1 literal with indexing',
      table: 4_096,
      blocks: [
        ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', ['custom-key', 'custom-header']],
        ['be', ['custom-key', 'custom-header']],
      ],
    },
    {
      name: 'C.2.2 without',
      table: 4_096,
      blocks: [['040c 2f73 616d 706c 652f 7061 7468', [':path', '/sample/path']]],
    },
    {
      name: 'C.2.3 never',
      table: 4_096,
      blocks: [['1008 7061 7373 776f 7264 0673 6563 7265 74', ['password', 'secret']]],
    },
    { name: 'C.2.4 indexed', table: 4_096, blocks: [['82', [':method', 'GET']]] },
    {
      name: 'C.3 requests',
      table: 4_096,
      blocks: [
        ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', GET],
        ['8286 84be 5808 6e6f 2d63 6163 6865', GET_UNCACHED],
        ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', GET_CUSTOM],
      ],
    },
    {
      name: 'C.4 requests with Huffman coding',
      table: 4_096,
      blocks: [
        ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', GET],
        ['8286 84be 5886 a8eb 1064 9cbf', GET_UNCACHED],
        ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', GET_CUSTOM],
      ],
    },
    {
      name: 'C.5 responses, with eviction',
      table: 256,
      blocks: [
        [
          '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120' +
            '474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
          answer('302', FIRST_DATE),
        ],
        ['4803 3330 37c1 c0bf', answer('307', FIRST_DATE)],
        [
          '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738' +
            '666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33' +
            '3630 303b 2076 6572 7369 6f6e 3d31',
          LAST,
        ],
      ],
    },
    {
      name: 'C.6 responses with Huffman coding, with eviction',
      table: 256,
      blocks: [
        [
          '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718' +
            '63c7 8f0b 97c8 e9ae 82ae 43d3',
          answer('302', FIRST_DATE),
        ],
        ['4883 640e ffc1 c0bf', answer('307', FIRST_DATE)],
        [
          '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7' +
            'b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
          LAST,
        ],
      ],
    },
  ];
  for (const { name, table, blocks } of sequences) {
    const decoder = decoderOf({ maxTableBytes: table });
    for (const [block, list] of blocks) t.same(read(decoder, hex(block)), { reason: '', list }, name);
  }
  t.end();
});

t.test('a block that breaks RFC 7541 is refused with the reason', t => {
  const cases: readonly (readonly [block: string, reason: string, why: string])[] = [
    ['80', 'index_zero', 'index 0'],
    ['be', 'index_out_of_range', 'an index behind an empty dynamic table'],
    ['ff ff 7f', 'index_out_of_range', 'a long index'],
    ['7f 00 01 61', 'index_out_of_range', 'the name of an entry that is not there'],
    ['82 20', 'late_table_size', 'a size update behind a field'],
    ['3f e2 1f', 'table_size', 'a table one byte larger than announced'],
    ['ff', 'truncated', 'an index that ends too early'],
    ['ff 80', 'truncated', 'an index whose continuation is missing'],
    ['00', 'truncated', 'a literal without a name'],
    ['00 01 61', 'truncated', 'a literal without a value'],
    ['00 02 61', 'truncated', 'a name shorter than its length'],
    ['00 01 61 02 62', 'truncated', 'a value shorter than its length'],
    ['00 7f 80 ff ff 7f', 'truncated', 'a length of a quarter of a gigabyte, before any of it is allocated'],
    ['ff ff ff ff ff ff ff 7f', 'integer_too_large', 'an integer of 49 bits'],
    ['ff 80 80 80 80 80 80 00', 'integer_too_large', 'an integer with endless leading zeros'],
    ['00 01 61 81 00', 'huffman', 'padding of zeros'],
    ['00 01 61 82 1f ff', 'huffman', 'padding of more than seven bits'],
    ['00 01 61 84 ff ff ff ff', 'huffman', 'the end-of-string symbol'],
  ];
  for (const [block, reason, why] of cases) t.equal(read(decoderOf(), hex(block)).reason, reason, why);
  t.end();
});

t.test('the largest table that was announced may be used, and be made smaller at the start of a block', t => {
  const decoder = decoderOf();
  t.equal(read(decoder, hex('3f e1 1f 82')).reason, '', '4096 is allowed');
  read(decoder, Buffer.concat([literal(0x40, 'a', '1'), literal(0x40, 'b', '2')]));
  t.same(read(decoder, hex('bf be')).list, ['a', '1', 'b', '2']);
  t.same(read(decoder, hex('3f 03 be')), { reason: '', list: ['b', '2'] }, '34 bytes hold the newest entry alone');
  t.equal(read(decoder, hex('bf')).reason, 'index_out_of_range', 'the older one was evicted');
  t.equal(
    read(decoder, hex('20 3f e1 1f be')).reason,
    'index_out_of_range',
    'through 0 back to 4096: everything is gone',
  );
  t.end();
});

t.test('an entry larger than the table empties it and is no error', t => {
  const decoder = decoderOf({ maxTableBytes: 100 });
  read(decoder, literal(0x40, 'a', '1'));
  t.same(read(decoder, literal(0x40, 'large', 'x'.repeat(100))), { reason: '', list: ['large', 'x'.repeat(100)] });
  t.equal(read(decoder, hex('be')).reason, 'index_out_of_range');
  t.end();
});

t.test('an entry that takes its name from the one it evicts has the right name', t => {
  const decoder = decoderOf({ maxTableBytes: 70 });
  read(decoder, literal(0x40, 'name', 'first'));
  t.same(read(decoder, Buffer.concat([hex('7e'), plain('second')])).list, ['name', 'second']);
  t.same(read(decoder, hex('be')).list, ['name', 'second']);
  t.end();
});

t.test('the epoch changes with the dynamic table and only with it', t => {
  const decoder = decoderOf();
  read(decoder, Buffer.concat([hex('82 86'), literal(0, 'a', '1'), literal(0x10, 'b', '2')]));
  t.equal(decoder.epoch, 0, 'indexed fields and literals that are not stored');
  read(decoder, literal(0x40, 'a', '1'));
  t.equal(decoder.epoch, 1, 'an insertion');
  read(decoder, hex('be'));
  t.equal(decoder.epoch, 1, 'a look at the entry');
  read(decoder, hex('20'));
  t.equal(decoder.epoch, 2, 'another size');
  t.end();
});

t.test('a list that is too large is not stored, and the table stays in step', t => {
  const decoder = decoderOf({ maxListBytes: 100 });
  const block = Buffer.concat([literal(0, 'a', 'x'.repeat(60)), literal(0x40, 'b', '2'), hex('be be')]);
  const { reason, list } = read(decoder, block);
  t.equal(reason, 'header_list_too_large');
  t.same(list, ['a', 'x'.repeat(60)], 'what stands in front of the limit');
  t.same(read(decoder, hex('be')), { reason: '', list: ['b', '2'] }, 'the next block finds the entry');
  t.end();
});

t.test('a list may be as large as the limit, counted with 32 bytes a field', t => {
  const block = literal(0, 'a', 'x'.repeat(67));
  t.equal(read(decoderOf({ maxListBytes: 100 }), block).reason, '');
  t.equal(read(decoderOf({ maxListBytes: 99 }), block).reason, 'header_list_too_large');
  t.end();
});

t.test('so many fields and not one more', t => {
  t.equal(read(decoderOf({ maxFields: 3 }), hex('82 82 82')).reason, '');
  const { reason, list } = read(decoderOf({ maxFields: 3 }), hex('82 82 82 82'));
  t.equal(reason, 'header_list_too_large');
  t.equal(list.length, 6);
  t.end();
});

t.test('one byte an indexed field does not blow the list up', t => {
  const decoder = decoderOf();
  read(decoder, literal(0x40, 'a', 'x'.repeat(4_000)));
  const { reason, list } = read(decoder, Buffer.alloc(60_000, 0xbe));
  t.equal(reason, 'header_list_too_large');
  t.ok(list.length / 2 <= 16, `${list.length / 2} of 60000 fields were kept`);
  t.end();
});

t.test('only the range that is named is read', t => {
  const list: string[] = [];
  t.equal(decoderOf().decode(hex('ff ff 82 86 ff'), 2, 4, list), '');
  t.same(list, [':method', 'GET', ':scheme', 'http']);
  t.end();
});

const octets = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map(bytes => Buffer.from(bytes).toString('latin1'));

t.test('names that fall together in the cache of literal names stay apart', t => {
  fc.assert(
    fc.property(fc.array(octets(40), { maxLength: 200 }), names => {
      const { list } = read(decoderOf(), Buffer.concat(names.map(name => literal(0x10, name, ''))));
      t.strictSame(
        list,
        names.flatMap(name => [name, '']),
      );
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('the dynamic table behaves as a plain list of entries would', t => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('insert' as const), name: octets(30), value: octets(90) }),
    fc.record({ kind: fc.constant('look' as const), back: fc.nat(8) }),
    fc.record({ kind: fc.constant('resize' as const), bytes: fc.nat(300) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const decoder = decoderOf({ maxTableBytes: 300 });
      let model: [string, string][] = [];
      let limit = 300;
      const shrink = (): void => {
        const size = ([name, value]: [string, string]): number => name.length + value.length + 32;
        while (model.reduce((sum, entry) => sum + size(entry), 0) > limit) model = model.slice(0, -1);
      };
      for (const each of steps) {
        if (each.kind === 'insert') {
          t.same(read(decoder, literal(0x40, each.name, each.value)), { reason: '', list: [each.name, each.value] });
          model = [[each.name, each.value], ...model];
        } else if (each.kind === 'resize') {
          limit = each.bytes;
          t.same(read(decoder, integer(limit, 31, 0x20)), { reason: '', list: [] });
        } else {
          const entry = model[each.back];
          const got = read(decoder, integer(62 + each.back, 127, 0x80));
          t.same(got, entry === undefined ? { reason: 'index_out_of_range', list: [] } : { reason: '', list: entry });
        }
        shrink();
      }
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('no bytes make the decoder throw or keep more than the limits', t => {
  const structured = fc
    .array(
      fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.constantFrom(hex('82'), hex('be'), hex('400161'), hex('3fe11f'))),
    )
    .map(parts => Buffer.concat(parts));
  fc.assert(
    fc.property(fc.array(structured, { maxLength: 8 }), blocks => {
      const decoder = decoderOf({ maxListBytes: 500, maxFields: 10 });
      for (const block of blocks) {
        const { list } = read(decoder, block);
        t.ok(list.length <= 20);
        t.ok(list.join('').length <= 500);
      }
    }),
    { numRuns: 300 },
  );
  t.end();
});
