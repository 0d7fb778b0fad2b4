import fc from 'fast-check';
import t from 'tap';
import { HpackDecoder } from '../../../../../../sidecar/protocol/http2/hpack/decoder.ts';
import { encodeFields, writeVolatileField } from '../../../../../../sidecar/protocol/http2/hpack/encoder.ts';
import { findVolatileTail } from '../../../../../../sidecar/protocol/http2/hpack/volatile-tail.ts';

const find = (hex: string): number => {
  const block = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return findVolatileTail(block, 0, block.length);
};
const STABLE = encodeFields([':method', 'GET', ':path', '/a', 'user-agent', 'x'.repeat(200), 'other', '']);
const volatileField = (): Buffer => {
  const out = Buffer.alloc(64);
  return out.subarray(0, writeVolatileField(out, 0, 'x-request-id', '42'));
};

t.test('the tail begins at the first never-indexed literal with a literal name', t => {
  const block = Buffer.concat([STABLE, volatileField(), volatileField()]);
  t.equal(findVolatileTail(block, 0, block.length), STABLE.length);
  t.equal(findVolatileTail(Buffer.concat([Buffer.from([0xff]), block]), 1, block.length + 1), STABLE.length + 1);
  t.equal(findVolatileTail(volatileField(), 0, volatileField().length), 0, 'nothing stable at all');
  t.end();
});

t.test('without a tail it is the end', t => {
  t.equal(findVolatileTail(STABLE, 0, STABLE.length), STABLE.length);
  t.equal(find(''), 0);
  t.equal(find('82 86 84'), 3);
  t.end();
});

t.test('a never-indexed literal with an indexed name belongs to the stable part', t => {
  t.equal(find('1f 08 01 61 82'), 5, 'an authorization field of a foreign client');
  t.equal(find('14 01 61'), 3);
  t.end();
});

t.test('an entry of the dynamic table that is only looked at keeps the prefix internable', t => {
  t.equal(find('be ff 00 82'), 4);
  t.end();
});

t.test('what changes the dynamic table is refused', t => {
  t.equal(find('82 40 01 61 01 62'), -1, 'insertion with a literal name');
  t.equal(find('82 41 01 61'), -1, 'insertion with an indexed name');
  t.equal(find('20 82'), -1, 'size update');
  t.equal(find('3f e1 1f'), -1);
  t.end();
});

t.test('a prefix that is cut off is refused', t => {
  for (const block of ['ff', 'ff 80', '0f', '00', '00 01', '00 01 61', '00 01 61 02 62', '04', '00 7f', '00 7f 80']) {
    t.equal(find(block), -1, block);
  }
  t.equal(find('00 7f ff ff ff ff 7f'), -1, 'a length that overflows');
  t.end();
});

t.test('whatever the bytes: the result lies in the block, and the prefix leaves the table alone', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(5), (bytes, start) => {
      const block = Buffer.from(bytes);
      const from = Math.min(start, block.length);
      const split = findVolatileTail(block, from, block.length);
      if (split === -1) return;
      t.ok(split >= from && split <= block.length);
      const decoder = new HpackDecoder({ maxTableBytes: 4_096, maxListBytes: 1e6, maxFields: 1e3 });
      decoder.decode(block, from, split, []);
      t.equal(decoder.epoch, 0);
    }),
    { numRuns: 2_000 },
  );
  t.end();
});
