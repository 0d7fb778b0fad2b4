import fc from 'fast-check';
import t from 'tap';
import { PATH_NORMALIZATIONS, type PathNormalization } from '../../../../api/snapshot.ts';
import { normalPath } from '../../../../sidecar/route/normal-path.ts';

/** The normal form, or the detail of the refusal. */
const normal = (path: string, normalization: PathNormalization): string => {
  const result = normalPath(path, normalization);
  return typeof result === 'string' ? result : result.detail;
};
const queryOf = (text: string): string => /\?.*$/.exec(text)?.[0] ?? '';
const ALL = PATH_NORMALIZATIONS.filter(each => each !== 'NONE');

/** Pieces of which every trick with paths is made. */
const piece = fc.constantFrom(
  ...['a', 'B', '.', '..', '...', '/', '//', '\\', '%2f', '%2F', '%5c', '%5C', '%2e', '%2E', '%61', '%7e', '~'],
  ...['%25', '%3b', ';', ':', '%C3%A9', '\xc3\xa9', '"', '{', '|', '[', '%3F', '%0a', '2e', '%252e', '+', "'"],
);
const path = fc.array(piece, { maxLength: 12 }).map(pieces => `/${pieces.join('')}`);
const target = fc.tuple(path, fc.constantFrom('', '?', '?a=/../b&c=%2f//', '?%zz')).map(parts => parts.join(''));

t.test('each setting makes one form of the spellings that it is for', t => {
  const cases: readonly (readonly [path: string, base: string, merge: string, decode: string])[] = [
    ['/a/b', '/a/b', '/a/b', '/a/b'],
    ['/', '/', '/', '/'],
    ['/a/./b', '/a/b', '/a/b', '/a/b'],
    ['/a/../b', '/b', '/b', '/b'],
    ['/a/..', '/', '/', '/'],
    ['/a/b/.', '/a/b/', '/a/b/', '/a/b/'],
    ['/../../b', '/b', '/b', '/b'],
    ['/a/%2e%2E/b', '/b', '/b', '/b'],
    ['/a/.%2e/b', '/b', '/b', '/b'],
    ['/a\\..\\b', '/b', '/b', '/b'],
    ['/a//b', '/a//b', '/a/b', '/a/b'],
    ['///', '///', '/', '/'],
    ['/a//../b', '/a/b', '/b', '/b'],
    ['/a%2fb', '/a%2Fb', '/a%2Fb', '/a/b'],
    ['/a%5cb', '/a%5Cb', '/a%5Cb', '/a/b'],
    ['/a%2f%2F..%5c%2e%2e%2fb', '/a%2F%2F..%5C..%2Fb', '/a%2F%2F..%5C..%2Fb', '/b'],
    ['/%61%2D%5f%7E', '/a-_~', '/a-_~', '/a-_~'],
    ['/a%3b%c3%a9', '/a%3B%C3%A9', '/a%3B%C3%A9', '/a%3B%C3%A9'],
    ['/caf\xc3\xa9', '/caf%C3%A9', '/caf%C3%A9', '/caf%C3%A9'],
    ['/{a}|"b"[1]', '/%7Ba%7D%7C%22b%22%5B1%5D', '/%7Ba%7D%7C%22b%22%5B1%5D', '/%7Ba%7D%7C%22b%22%5B1%5D'],
    ['/%252e%252e/a', '/%252e%252e/a', '/%252e%252e/a', '/%252e%252e/a'],
    ['/a;b/c;d=1', '/a;b/c;d=1', '/a;b/c;d=1', '/a;b/c;d=1'],
    ['/.well-known/a', '/.well-known/a', '/.well-known/a', '/.well-known/a'],
    ['/.../a', '/.../a', '/.../a', '/.../a'],
  ];
  for (const [spelling, base, merge, decode] of cases) {
    t.equal(normal(spelling, 'NONE'), spelling);
    t.equal(normal(spelling, 'BASE'), base, `BASE of ${spelling}`);
    t.equal(normal(spelling, 'MERGE_SLASHES'), merge, `MERGE_SLASHES of ${spelling}`);
    t.equal(normal(spelling, 'DECODE_AND_MERGE_SLASHES'), decode, `DECODE_AND_MERGE_SLASHES of ${spelling}`);
    t.equal(normal(`${spelling}?q=/..//%2f%`, 'BASE'), `${base}?q=/..//%2f%`, 'the query stays as it is');
  }
  t.end();
});

t.test('what servers read in different ways has no normal form', t => {
  const cases: readonly (readonly [path: string, detail: string])[] = [
    ['/a%', 'bad_path_escape'],
    ['/a%2', 'bad_path_escape'],
    ['/a%zz/b', 'bad_path_escape'],
    ['/%u002f', 'bad_path_escape'],
    ['/%2%65', 'bad_path_escape'],
    ['/a%00', 'nul_in_path'],
    ['/a%00.html?x', 'nul_in_path'],
    ['/a/..;/b', 'dot_segment_parameter'],
    ['/a/.;x=1/b', 'dot_segment_parameter'],
    ['/a/%2e%2e;/b', 'dot_segment_parameter'],
    ['/a/..%3b/b', 'dot_segment_parameter'],
  ];
  for (const [spelling, detail] of cases) {
    for (const normalization of ALL) t.equal(normal(spelling, normalization), detail, `${normalization}: ${spelling}`);
    t.equal(normal(spelling, 'NONE'), spelling, 'without normalization it goes on');
  }
  t.equal(normal('/a%2f..;/b', 'DECODE_AND_MERGE_SLASHES'), 'dot_segment_parameter');
  t.end();
});

t.test('a normal form is its own normal form, and the query of it is untouched', t => {
  for (const normalization of ALL) {
    fc.assert(
      fc.property(target, spelling => {
        const once = normalPath(spelling, normalization);
        if (typeof once !== 'string') return;
        t.equal(normalPath(once, normalization), once);
        t.equal(queryOf(once), queryOf(spelling));
      }),
    );
  }
  t.end();
});

t.test('a normal form has no dot segment, no backslash, and no second spelling of an escape', t => {
  for (const normalization of ALL) {
    fc.assert(
      fc.property(path, spelling => {
        const form = normalPath(spelling, normalization);
        if (typeof form !== 'string') return;
        t.match(form, /^\//);
        t.notMatch(form, /\/\.\.?(?:\/|$)/);
        t.notMatch(form, /%(?![0-9A-F]{2})|%(?:2D|2E|5F|7E|3[0-9]|[46][1-9A-F]|[57][0-9A])/);
        t.notMatch(form, /[^!$%&'()*+,\-./0-9:;=@A-Z_a-z~]/);
        if (normalization !== 'BASE') t.notMatch(form, /\/\//);
        if (normalization === 'DECODE_AND_MERGE_SLASHES') t.notMatch(form, /%2F|%5C/);
      }),
    );
  }
  t.end();
});

/** What a server sees that decodes the path first, then merges slashes and resolves dots (nginx), by a way of our own. */
const decodedView = (spelling: string): string => {
  const text = decodeURIComponent(
    spelling.replaceAll('\xc3\xa9', '%C3%A9').replaceAll('\\', '/').replaceAll('%5C', '/').replaceAll('%5c', '/'),
  );
  return new URL(`http://h${text.replaceAll('?', '%3F').replace(/\/+/g, '/').replaceAll('%2e', '%252e')}`).pathname;
};

t.test('two spellings that a decoding server takes for one path have one normal form', t => {
  // Reserved characters have a meaning of their own when they are bare (RFC 3986 §2.2), and are left out.
  const plain = fc
    .array(fc.constantFrom('a', '%61', '.', '%2e', '%2E', '/', '%2f', '%2F', '//', '\\', '%5c', '~', '%7E'), {
      maxLength: 10,
    })
    .map(pieces => `/${pieces.join('')}`);
  const forms = new Map<string, string>();
  fc.assert(
    fc.property(plain, spelling => {
      const form = normal(spelling, 'DECODE_AND_MERGE_SLASHES');
      const view = decodedView(spelling);
      t.equal(forms.get(view) ?? form, form, `${spelling} is ${view}`);
      forms.set(view, form);
      t.equal(decodedView(form), view, 'the server sees in the normal form what it saw before');
    }),
    { numRuns: 1_000 },
  );
  t.end();
});

t.test('an ordinary path is handed back as it is', t => {
  for (const ordinary of ['/', '/a/b-c_d~e.f', '/pkg.Service/Method', "/a;b=1,2/@c:d+e!$&'()*", '/a?%zz\\..//'])
    for (const normalization of PATH_NORMALIZATIONS) t.equal(normal(ordinary, normalization), ordinary);
  t.end();
});
