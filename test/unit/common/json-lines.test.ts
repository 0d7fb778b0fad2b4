import fc from 'fast-check';
import t from 'tap';
import { LineReader } from '../../../common/json-lines.ts';

const read = (chunks: readonly Buffer[], maxBytes = 1_000): { readonly lines: string[]; readonly ok: boolean } => {
  const lines: string[] = [];
  const reader = new LineReader(maxBytes, line => lines.push(line));
  let ok = true;
  for (const chunk of chunks) ok = reader.push(chunk);
  return { lines, ok };
};

t.test('any split of the bytes gives the same lines', t => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).map(text => text.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (lines, cuts) => {
      const bytes = Buffer.from(lines.map(each => `${each}\n`).join(''));
      const at = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
      t.same(read(chunks, 10_000), { lines, ok: true });
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('empty lines are skipped, and a last line without its end is not delivered', t => {
  t.same(read([Buffer.from('\n\na\n\nb')]), { lines: ['a'], ok: true });
  t.end();
});

t.test('a line of the longest length is read, a longer one ends the reading for good', t => {
  t.same(read([Buffer.from('12345\n')], 5), { lines: ['12345'], ok: true });
  t.same(read([Buffer.from('123'), Buffer.from('456\n'), Buffer.from('ok\n')], 5), { lines: [], ok: false });
  t.same(read([Buffer.from('ok\n123456')], 5), { lines: ['ok'], ok: false });
  t.end();
});
