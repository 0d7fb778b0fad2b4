import fc from 'fast-check';
import t from 'tap';
import { HpackDecoder } from '../../../../../../sidecar/protocol/http2/hpack/decoder.ts';
import {
  encodeFields,
  fieldBytes,
  writeField,
  writeVolatileField,
} from '../../../../../../sidecar/protocol/http2/hpack/encoder.ts';
import { STATIC_TABLE } from '../../../../../../sidecar/protocol/http2/hpack/static-table.ts';

const decode = (block: Buffer): string[] => {
  const decoder = new HpackDecoder({ maxTableBytes: 0, maxListBytes: 1e9, maxFields: 1e6 });
  const list: string[] = [];
  t.equal(decoder.decode(block, 0, block.length, list), '');
  t.equal(decoder.epoch, 0, 'nothing was inserted');
  return list;
};
const octets = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map(bytes => Buffer.from(bytes).toString('latin1'));
const names = fc.oneof(octets(40), fc.constantFrom(...STATIC_TABLE.map(([name]) => name)));
const values = fc.oneof(octets(300), fc.constantFrom(...STATIC_TABLE.map(([, value]) => value)));

t.test('every field of the static table is one byte, its index', t => {
  t.equal(STATIC_TABLE.length, 61);
  for (const [at, [name, value]] of STATIC_TABLE.entries()) {
    t.same(encodeFields([name, value]), Buffer.from([0x80 | (at + 1)]), `${name}: ${value}`);
  }
  t.end();
});

t.test('a name of the static table goes by its first index, its value as a literal', t => {
  t.same(encodeFields([':path', '/a']), Buffer.from('04022f61', 'hex'));
  t.same(encodeFields([':status', '503']), Buffer.from('0803353033', 'hex'), 'below 15: in the first byte');
  t.same(encodeFields(['user-agent', 'x']), Buffer.from('0f2b0178', 'hex'), 'from 15: with a second one');
  t.end();
});

t.test('another name is a literal', t => {
  t.same(encodeFields(['a', 'b']), Buffer.from('0001610162', 'hex'));
  t.end();
});

t.test('a volatile field is a never-indexed literal with a literal name, also when the static table has it', t => {
  const out = Buffer.alloc(64);
  const end = writeVolatileField(out, 3, 'date', 'x');
  t.same(out.subarray(3, end), Buffer.from('100464617465' + '0178', 'hex'));
  t.end();
});

t.test('lengths of 126, 127 and beyond are written as RFC 7541 §5.1 says', t => {
  const header = (length: number): Buffer => encodeFields(['a', 'x'.repeat(length)]).subarray(3, -length);
  t.same(header(126), Buffer.from([126]));
  t.same(header(127), Buffer.from([127, 0]));
  t.same(header(254), Buffer.from([127, 127]));
  t.same(header(255), Buffer.from([127, 128, 1]));
  t.same(header(127 + 128 * 128), Buffer.from([127, 128, 128, 1]));
  t.end();
});

t.test('what is encoded decodes to the same fields and stays within the bound', t => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, values), { maxLength: 30 }), fields => {
      const list = fields.flat();
      t.strictSame(decode(encodeFields(list)), list);
      const out = Buffer.alloc(1_000);
      for (const [name, value] of fields) {
        t.ok(writeField(out, 7, name, value) - 7 <= fieldBytes(name, value));
        const end = writeVolatileField(out, 7, name, value);
        t.ok(end - 7 <= fieldBytes(name, value));
        t.strictSame(decode(out.subarray(7, end)), [name, value]);
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('no field, no byte', t => {
  t.equal(encodeFields([]).length, 0);
  t.end();
});
