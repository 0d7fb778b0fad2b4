import fc from 'fast-check';
import t from 'tap';
import { stringify } from 'yaml';
import { checkShape, DocumentError, MAX_DEPTH, MAX_VALUES, parseJson, parseYaml } from '../../../api/parse-document.ts';

const refused = (name: string, parse: () => unknown, message: RegExp) =>
  t.test(name, t => {
    t.throws(parse, { name: 'DocumentError', message });
    t.end();
  });

t.test('what is written as YAML or JSON is read back', t => {
  const document = fc.object({ maxDepth: 4, values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null)] });
  fc.assert(
    fc.property(document, value => {
      fc.pre(!JSON.stringify(value).includes('__proto__'));
      t.same(parseJson(JSON.stringify(value)), value);
      t.same(parseYaml(stringify(value)), [value]);
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('a YAML stream has its documents, without empty ones', t => {
  t.same(parseYaml('---\na: 1\n---\n# nothing\n---\nb: 2\n'), [{ a: 1 }, { b: 2 }]);
  t.same(parseYaml(''), []);
  t.same(parseYaml('a: &x [1]\nb: *x'), [{ a: [1], b: [1] }], 'aliases are fine');
  t.same(parseYaml('a: "[[[[[["'), [{ a: '[[[[[[' }], 'and so are brackets in text');
  t.same(parseYaml('a: yes\nb: 0o7\nc: 2026-01-01'), [{ a: 'yes', b: 7, c: '2026-01-01' }], 'by YAML 1.2');
  t.end();
});

refused('broken JSON says where', () => parseJson('{"a": }'), /the JSON is broken: Unexpected token '}'/);
refused('broken YAML says where', () => parseYaml('a: [1'), /the YAML is broken: .* at line 1/);
refused('a key twice', () => parseYaml('a:\n  b: 1\n  b: 2'), /"b" is there twice/);
refused('a key that is no string', () => parseYaml('[a]: 1'), /keys must be strings/i);
refused('an anchor that is not there', () => parseYaml('a: *b'), /the YAML is broken/);
refused(
  'a number that JSON does not have',
  () => parseYaml('a: [.nan]'),
  /^a\[0\] must be a number that JSON has, not NaN/,
);
refused('__proto__ in JSON', () => parseJson('{"a": [{"__proto__": 1}]}'), /^a\[0\]\.__proto__ must be absent/);
refused('__proto__ in YAML', () => parseYaml('a: {__proto__: {b: 1}}'), /^a\.__proto__ must be absent/);
refused('depth in JSON', () => parseJson('['.repeat(100_000) + ']'.repeat(100_000)), /nested deeper than 64/);
refused('depth by brackets', () => parseYaml('{a: '.repeat(100_000)), /nested deeper than 64/);
refused('depth by dashes', () => parseYaml('- '.repeat(100_000)), /nested deeper than 64/);
refused('bulk in JSON', () => parseJson(JSON.stringify(Array(MAX_VALUES + 1).fill(0))), /more than 20000 values/);
refused('bulk in YAML', () => parseYaml('a: b\n'.repeat(200_000)), /more than 20000 values/);
refused(
  'a billion laughs',
  () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 10; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join()}]`,
      );
    return parseYaml(lines.join('\n'));
  },
  /alias|values/,
);

t.test('the limits are where they are said to be', t => {
  const deep = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
  checkShape(deep(MAX_DEPTH));
  t.throws(() => checkShape(deep(MAX_DEPTH + 1)), DocumentError);
  checkShape(Array(MAX_VALUES - 1).fill(0));
  t.throws(() => checkShape(Array(MAX_VALUES).fill(0)), DocumentError);
  t.end();
});
