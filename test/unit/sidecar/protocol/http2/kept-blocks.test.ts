import fc from 'fast-check';
import t from 'tap';
import { fingerprint, isSameBytes, KeptBlocks } from '../../../../../sidecar/protocol/http2/kept-blocks.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const get = <T>(table: KeptBlocks<T>, block: Buffer): T | undefined => table.get(block, 0, block.length);
/** Looks the block up, as its reader does, and adds what it derives from it where that is not there. */
const read = <T>(table: KeptBlocks<T>, block: Buffer, derived: T): T => {
  const known = get(table, block);
  if (known === undefined) table.add(block, 0, block.length, derived);
  return known ?? derived;
};

t.test('a block is kept from the second time that it is seen, wherever it stands in what was read', t => {
  const table = new KeptBlocks<string>(10);
  read(table, bytes('a block'), 'first');
  t.equal(get(table, bytes('a block')), undefined);
  read(table, bytes('a block'), 'second');
  t.equal(get(table, bytes('a block')), 'second');
  t.equal(table.get(bytes('<<a block>>'), 2, 9), 'second');
  t.equal(get(table, bytes('a blocK')), undefined);
  t.equal(get(table, bytes('a bloc')), undefined);
  table.clear();
  t.equal(get(table, bytes('a block')), undefined);
  t.end();
});

t.test('what is kept does not change with the memory that it was read from', t => {
  const table = new KeptBlocks<string>(10);
  const block = bytes('a block');
  read(table, block, 'x');
  read(table, block, 'x');
  block.write('A', 0);
  t.equal(get(table, bytes('a block')), 'x');
  t.equal(get(table, block), undefined);
  t.end();
});

t.test('a full table is emptied, and never holds more', t => {
  const table = new KeptBlocks<number>(20);
  const known = (): number =>
    Array.from({ length: 60 }, (_, i) => get(table, bytes(`block ${i}`))).filter(Boolean).length;
  for (let i = 0; i < 20; i++) for (let seen = 0; seen < 2; seen++) read(table, bytes(`block ${i}`), i + 1);
  t.equal(known(), 20);
  for (let seen = 0; seen < 2; seen++) read(table, bytes('block 20'), 21);
  t.equal(known(), 1);
  t.end();
});

t.test('two blocks with the same fingerprint are told apart', t => {
  const byFingerprint = new Map<number, Buffer>();
  let pair: readonly [Buffer, Buffer] | undefined;
  for (let i = 0; pair === undefined; i++) {
    const block = bytes(`block ${i}`);
    const hash = fingerprint(block, 0, block.length);
    const other = byFingerprint.get(hash);
    if (other !== undefined && other.length === block.length) pair = [other, block];
    byFingerprint.set(hash, block);
  }
  const [one, other] = pair;
  const table = new KeptBlocks<string>(10);
  for (let seen = 0; seen < 3; seen++) read(table, one, 'one');
  t.equal(get(table, other), undefined);
  for (let seen = 0; seen < 3; seen++) read(table, other, 'other');
  t.same([get(table, one), get(table, other)], ['one', 'other']);
  t.end();
});

t.test('blocks that were made to fall together are never mixed up, and cost a bounded look', t => {
  const together: Buffer[] = [];
  for (let i = 0; together.length < 12; i++) {
    const block = bytes(`${i}`);
    if ((fingerprint(block, 0, block.length) & 1_023) === 5) together.push(block);
  }
  const table = new KeptBlocks<number>(500);
  for (const [i, block] of together.entries()) for (let seen = 0; seen < 2; seen++) read(table, block, i);
  const found = together.map(block => get(table, block));
  t.ok(found.every((derived, i) => derived === undefined || derived === i));
  t.ok(found.filter(derived => derived !== undefined).length <= 8);
  t.end();
});

t.test('a table that is crowded again and again, also while it grows, goes on as before', t => {
  const crowd: Buffer[] = [];
  for (let i = 0; crowd.length < 300; i++) {
    const block = bytes(`crowd ${i}`);
    if ((fingerprint(block, 0, block.length) & 63) < 6) crowd.push(block);
  }
  const table = new KeptBlocks<string>(200);
  for (let round = 0; round < 3; round++)
    for (const block of crowd) {
      const text = block.toString();
      for (let seen = 0; seen < 2; seen++) if (read(table, block, text) !== text) t.fail('another block was found');
    }
  const next = bytes('what comes next');
  const known = (): boolean => {
    read(table, next, 'next');
    return get(table, next) === 'next';
  };
  t.ok([known(), known(), known()].includes(true));
  t.end();
});

t.test('whatever is read in whatever order, a block gives what was derived from it or nothing', t => {
  const block = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.uint8Array({ minLength: 1, maxLength: 3, max: 2 }), // the same ones again and again
  );
  fc.assert(
    fc.property(fc.array(block, { maxLength: 200 }), blocks => {
      const table = new KeptBlocks<string>(16);
      for (const each of blocks) {
        const content = Buffer.from(each);
        if (read(table, content, content.toString('hex')) !== content.toString('hex')) return false;
      }
      return true;
    }),
  );
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.uint8Array(),
      (one, other) => isSameBytes(one, other, 0, other.length) === (Buffer.compare(one, other) === 0),
    ),
  );
  t.end();
});
