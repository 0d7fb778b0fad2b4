import fc from 'fast-check';
import t from 'tap';
import { formatRange, parseRanges } from '../../../../cli/init/ranges.ts';

const PORTS = { from: 1, to: 65_535 };

t.test('numbers and ranges are sorted, and those that overlap or touch become one', async t => {
  t.same(parseRanges('443, 80', PORTS), [
    { from: 80, to: 80 },
    { from: 443, to: 443 },
  ]);
  t.same(parseRanges('8000-8100,8050-8200,8201,90', PORTS), [
    { from: 90, to: 90 },
    { from: 8_000, to: 8_201 },
  ]);
});

t.test('what is no number, out of bounds or backwards is refused', async t => {
  for (const text of ['', ',', '80,', 'http', '-1', '0', '65536', '90-80', '80-', '1e3', '80-90-100', '99999999999'])
    t.equal(parseRanges(text, PORTS), undefined, text);
});

t.test('the ranges hold exactly the numbers that were given, and leave a gap between', async t => {
  const range = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 8 }));
  const holds = (): void =>
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 12 }), pairs => {
        const text = pairs.map(([from, more]) => (more === 0 ? String(from) : `${from}-${from + more}`)).join(',');
        const parsed = parseRanges(text, PORTS) ?? [];
        const given = new Set(pairs.flatMap(([from, more]) => Array.from({ length: more + 1 }, (_, i) => from + i)));
        const kept = parsed.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
        return (
          kept.length === given.size &&
          kept.every(number => given.has(number)) &&
          parsed.every(({ from }, i) => i === 0 || from > (parsed[i - 1]?.to ?? 0) + 1)
        );
      }),
    );
  t.doesNotThrow(holds);
});

t.test('one number is written as one', async t => {
  t.equal(formatRange({ from: 80, to: 80 }, '-'), '80');
  t.equal(formatRange({ from: 80, to: 90 }, ':'), '80:90');
});
