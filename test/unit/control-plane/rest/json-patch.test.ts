import t from 'tap';
import { applyJsonPatch } from '../../../../control-plane/rest/json-patch.ts';

const DOCUMENT = { a: { b: [1, 2, 3], 'c/d': 'x', 'e~f': 'y' } };

/** RFC 6902 §4 and appendix A. */
const CASES: readonly (readonly [name: string, patch: readonly object[], result: object])[] = [
  ['adds a member', [{ op: 'add', path: '/g', value: 1 }], { ...DOCUMENT, g: 1 }],
  ['adds into a list', [{ op: 'add', path: '/a/b/1', value: 9 }], { a: { ...DOCUMENT.a, b: [1, 9, 2, 3] } }],
  ['adds to the end', [{ op: 'add', path: '/a/b/-', value: 9 }], { a: { ...DOCUMENT.a, b: [1, 2, 3, 9] } }],
  [
    'removes',
    [
      { op: 'remove', path: '/a/b/0' },
      { op: 'remove', path: '/a/c~1d' },
    ],
    { a: { b: [2, 3], 'e~f': 'y' } },
  ],
  [
    'replaces',
    [
      { op: 'replace', path: '/a/e~0f', value: 'z' },
      { op: 'replace', path: '/a/b/0', value: 7 },
    ],
    { a: { b: [7, 2, 3], 'c/d': 'x', 'e~f': 'z' } },
  ],
  ['replaces all', [{ op: 'replace', path: '', value: { n: 1 } }], { n: 1 }],
  ['moves', [{ op: 'move', from: '/a/b', path: '/b' }], { a: { 'c/d': 'x', 'e~f': 'y' }, b: [1, 2, 3] }],
  ['copies', [{ op: 'copy', from: '/a/b/2', path: '/a/b/0' }], { a: { ...DOCUMENT.a, b: [3, 1, 2, 3] } }],
  [
    'tests',
    [
      { op: 'test', path: '/a/b', value: [1, 2, 3] },
      { op: 'remove', path: '/a' },
    ],
    {},
  ],
];

for (const [name, patch, result] of CASES)
  t.test(`a JSON patch ${name}`, t => {
    const before = JSON.stringify(DOCUMENT);
    t.same(applyJsonPatch(DOCUMENT, patch), result);
    t.equal(JSON.stringify(DOCUMENT), before, 'the document stays');
    t.end();
  });

const REFUSED: readonly (readonly [patch: unknown, message: RegExp])[] = [
  [{}, /must be a list/],
  [[1], /operation 0: must be an object/],
  [[{ op: 'add', path: 'a', value: 1 }], /"path" must be a JSON pointer/],
  [[{ op: 'add', path: '/a' }], /"value" must be set/],
  [[{ op: 'frob', path: '/a' }], /"op" must be one of/],
  [[{ op: 'copy', path: '/a' }], /"from" must be/],
  [[{ op: 'remove', path: '/x' }], /nothing at "\/x"/],
  [[{ op: 'remove', path: '' }], /whole document/],
  [[{ op: 'replace', path: '/x', value: 1 }], /nothing at/],
  [[{ op: 'add', path: '/x/y', value: 1 }], /nothing at/],
  [[{ op: 'add', path: '/a/b/9', value: 1 }], /must be an index of the list, at most 3/],
  [[{ op: 'add', path: '/a/b/x', value: 1 }], /must be an index/],
  [[{ op: 'add', path: '/a/b/0/c', value: 1 }], /must lead into an object or a list/],
  [[{ op: 'add', path: '/__proto__', value: {} }], /"__proto__" is not allowed/],
  [[{ op: 'test', path: '/a/b/0', value: 2 }], /the test failed/],
  [[{ op: 'remove', path: '/constructor' }], /nothing at/],
  [[{ op: 'replace', path: '', value: 1 }], /must leave an object/],
  [Array(1_001).fill({ op: 'test', path: '', value: DOCUMENT }), /at most 1000/],
  [Array.from({ length: 40 }, () => ({ op: 'copy', from: '', path: '/a/x' })), /nested deeper|more than/],
];

for (const [patch, message] of REFUSED)
  t.test(`refused: ${JSON.stringify(patch).slice(0, 60)}`, t => {
    t.throws(() => applyJsonPatch(DOCUMENT, patch), { message });
    t.end();
  });
