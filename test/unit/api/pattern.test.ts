import fc from 'fast-check';
import t from 'tap';
import { compilePattern, type Pattern } from '../../../api/pattern.ts';

const compiled = (source: string): Pattern => {
  const pattern = compilePattern(source);
  if (typeof pattern === 'string') throw new Error(`${source}: ${pattern}`);
  return pattern;
};
const matches = (source: string, text: string): boolean => compiled(source).matches(text);

t.test('all of the text must match', t => {
  t.ok(matches('/v[0-9]+/.*', '/v12/books'));
  t.notOk(matches('/v[0-9]+', '/v12/books'));
  t.notOk(matches('v[0-9]+', '/v12'));
  t.ok(matches('a|b', 'b'));
  t.notOk(matches('a|b', 'ab'));
  t.ok(matches('', ''));
  t.notOk(matches('', 'a'));
  t.ok(matches('^/a$', '/a'), 'anchors say what is so anyway');
  t.end();
});

t.test('what RE2 can say and is of use for paths and fields', t => {
  const cases: readonly (readonly [source: string, yes: readonly string[], no: readonly string[]])[] = [
    ['[a-c]{2,3}', ['ab', 'abc'], ['a', 'abcd', 'ad']],
    ['a{2}', ['aa'], ['a', 'aaa']],
    ['a{2,}', ['aa', 'aaaaa'], ['a']],
    ['a{,2}', ['a{,2}'], ['aa']],
    ['[^/]+', ['books', 'é'], ['a/b', '']],
    ['[]a]', [']', 'a'], ['b']],
    ['[^]]', ['a'], [']']],
    ['[a\\]-]', ['a', ']', '-'], ['b']],
    ['[\\d.]+', ['1.5'], ['1,5']],
    ['\\w+\\s\\W', ['a1_ -'], ['a1_ a']],
    ['\\D\\S', ['a.'], ['1.', 'a ']],
    ['\\x41\\.\\/\\t', ['A./\t'], ['A.//t']],
    ['\\xe9', ['é'], ['e']],
    ['(?:a|b)*c', ['c', 'abac'], ['ab']],
    ['(?<name>a)(?P<other>b)', ['ab'], ['a']],
    ['(?i)Ab[c-e]', ['aB' + 'D', 'abc'], ['abf']],
    ['a*?b+?c??', ['aabb', 'bc'], ['a']],
    ['\\bfoo\\b.*', ['foo', 'foo-bar'], ['foobar']],
    ['a\\Bb', ['ab'], ['a b']],
    ['a$b', [], ['ab', 'a$b']],
    ['}]', ['}]'], ['}']],
    ['.', ['a', 'é', '\u20ac'], ['', '\n', 'ab']],
  ];
  for (const [source, yes, no] of cases) {
    for (const text of yes) t.ok(matches(source, text), `${source} matches ${JSON.stringify(text)}`);
    for (const text of no) t.notOk(matches(source, text), `${source} does not match ${JSON.stringify(text)}`);
  }
  t.end();
});

t.test('what cannot be matched in linear time, or is no pattern, is refused with the reason', t => {
  const cases: readonly (readonly [source: string, reason: RegExp])[] = [
    ['(a)\\1', /\\1 is not supported/],
    ['(?=a)b', /lookaround/],
    ['(?!a)b', /lookaround/],
    ['(?<=a)b', /lookaround/],
    ['a(?i)b', /inline flags/],
    ['\\k<a>', /\\k is not supported/],
    ['\\u0041', /\\u is not supported/],
    ['\\p{L}', /\\p is not supported/],
    ['\\x4', /two hexadecimal digits/],
    ['(a', /unterminated group/],
    ['a)', /unmatched/],
    ['[a', /unterminated character class/],
    ['[', /unterminated character class/],
    ['[a-', /unterminated character class/],
    ['[b-a]', /range out of order/],
    ['[\\d-z]', /range out of order/],
    ['[[:alpha:]]', /classes/],
    ['*a', /nothing to repeat/],
    ['a|+', /nothing to repeat/],
    ['a**', /nothing to repeat/],
    ['^*', /nothing to repeat/],
    ['a{2,1}', /out of order/],
    ['a{1001}', /1000 repetitions/],
    ['a{1,5000}', /1000 repetitions/],
    ['a\\', /at the end/],
    ['é', /not ASCII/],
    ['(?:a{100}){100}', /too large/],
    ['((){1000}){1000}', /too large/],
    ['('.repeat(60) + ')'.repeat(60), /groups in each other/],
    ['a'.repeat(5_000), /4096 characters/],
  ];
  for (const [source, reason] of cases) {
    const problem = compilePattern(source);
    t.match(typeof problem === 'string' ? problem : 'compiled', reason, source.slice(0, 40));
  }
  t.end();
});

t.test('a pattern that would never end elsewhere takes time in proportion to the text', t => {
  for (const source of ['(a|a)*b', '(a+)+b', '(.*)(.*)(.*)(.*)b', '(?:(?:a*)*)*b']) {
    const text = 'a'.repeat(4_000);
    t.notOk(matches(source, text), source);
    t.ok(matches(source, `${text}b`), source);
  }
  t.ok(matches('(?:a?){30}a{30}', 'a'.repeat(30)));
  t.notOk(matches('a*', 'a'.repeat(10_000)), 'a text beyond the limit does not match');
  t.end();
});

t.test('it decides as JavaScript does', t => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '[a-c-]',
    '\\d',
    '\\w',
    '\\W',
    '\\s',
    '\\.',
    '-',
    '1',
    '_',
    ' ',
  );
  const { pattern } = fc.letrec<{ pattern: string }>(tie => {
    const sub = tie('pattern');
    return {
      pattern: fc.oneof(
        { depthSize: 'small' },
        atom,
        fc.tuple(sub, sub).map(([a, b]) => a + b),
        fc.tuple(sub, sub).map(([a, b]) => `(${a}|${b})`),
        fc
          .tuple(sub, fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0}', '{2,}', '*?'))
          .map(([a, q]) => `(?:${a})${q}`),
        fc.tuple(sub, fc.constantFrom('\\b', '\\B', '^', '$'), sub).map(([a, x, b]) => a + x + b),
        fc.constant(''),
      ),
    };
  });
  const unit = fc.constantFrom('a', 'b', 'c', '1', '-', '.', ' ', '_');
  fc.assert(
    fc.property(pattern, fc.array(fc.string({ unit, maxLength: 8 }), { maxLength: 8 }), (source, texts) => {
      const own = compilePattern(source);
      fc.pre(typeof own !== 'string');
      const regex = new RegExp(`^(?:${source})$`);
      for (const text of texts) t.equal(own.matches(text), regex.test(text), `${source} on ${JSON.stringify(text)}`);
    }),
    { numRuns: 1_000 },
  );
  t.end();
});

t.test('no text makes the compiler throw', t => {
  const unit = fc.constantFrom(
    'a',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '1',
    ',',
    '\\',
    '*',
    '+',
    '?',
    '|',
    '^',
    '$',
    ':',
    '<',
    '>',
    '-',
    'x',
    'é',
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 24 }), source => {
      const pattern = compilePattern(source);
      if (typeof pattern !== 'string') pattern.matches('aax1');
      t.ok(true);
    }),
    { numRuns: 2_000 },
  );
  t.end();
});
