import fc from 'fast-check';
import t from 'tap';
import type { MatchView } from '../../../../api/snapshot.ts';
import { Fields, RequestHead } from '../../../../sidecar/protocol/head.ts';
import { compileMatch, type Matched, matchRule } from '../../../../sidecar/route/match-route.ts';
import type { Rule } from '../../../../sidecar/route/route-table.ts';
import { routeView } from './snapshot.fixture.ts';

interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  readonly fields?: readonly string[];
  readonly volatile?: readonly string[];
}
const ruleOf = (name: string, ...matches: readonly MatchView[]): Rule => {
  const view = routeView({ name, matches });
  return { view, matches: matches.map(view => compileMatch(view, 'BASE')), backends: [], mirror: undefined };
};
const match = (rules: readonly Rule[], request: Request): Matched | undefined => {
  const { method = 'GET', path = '/', authority = 'app', fields = [], volatile = [] } = request;
  return matchRule(rules, new RequestHead(method, 'http', authority, path, new Fields(fields)), volatile);
};
const matches = (view: MatchView, request: Request): boolean => match([ruleOf('r', view)], request) !== undefined;

t.test('a path prefix matches whole segments', t => {
  const cases: readonly (readonly [prefix: string, path: string, expected: boolean])[] = [
    ['/v2', '/v2', true],
    ['/v2', '/v2/', true],
    ['/v2', '/v2/books', true],
    ['/v2', '/v2?page=1', true],
    ['/v2', '/v2example', false],
    ['/v2', '/v2example/books', false],
    ['/v2', '/V2', false],
    ['/v2', '/', false],
    ['/v2/', '/v2', true],
    ['/v2/', '/v2/books', true],
    ['/v2/', '/v2example', false],
    ['/', '/', true],
    ['/', '/anything', true],
    ['/a?b', '/a?b', false],
  ];
  for (const [value, path, expected] of cases)
    t.equal(
      matches({ path: { type: 'PathPrefix', value } }, { path }),
      expected,
      `${value} ${expected ? 'matches' : 'does not match'} ${path}`,
    );
  t.end();
});

t.test('the method of a Hessian call is matched as its body says it, and no other request has one', t => {
  const call = (view: MatchView, rpcMethod: string | undefined): boolean => {
    const head = new RequestHead('POST', 'http', 'app', '/remoting/accounts', new Fields([]), '', undefined, rpcMethod);
    return matchRule([ruleOf('r', view)], head, []) !== undefined;
  };
  const add = { rpcMethod: { type: 'Exact', value: 'add' } } as const;
  t.ok(call(add, 'add'));
  t.notOk(call(add, 'addAll'));
  t.notOk(call(add, ''));
  t.notOk(call(add, undefined));
  const get = { rpcMethod: { type: 'RegularExpression', value: 'get.*' } } as const;
  t.ok(call(get, 'getAll'));
  t.notOk(call(get, 'forget'), 'all of it');
  const last = { path: { type: 'RegularExpression', value: '(?:/[^/]*)*/accounts' } } as const;
  t.ok(call({ ...last, ...add }, 'add'), 'by the last segment of the path');
  t.notOk(call({ path: { type: 'RegularExpression', value: '(?:/[^/]*)*/counts' } }, 'add'), 'all of the segment');
  t.end();
});

t.test('a path of the configuration is brought to the form that requests have', t => {
  const normalized = (type: 'Exact' | 'PathPrefix' | 'RegularExpression', value: string) =>
    compileMatch({ path: { type, value } }, 'MERGE_SLASHES');
  const accepts = (type: 'Exact' | 'PathPrefix' | 'RegularExpression', value: string, path: string): boolean =>
    normalized(type, value).stable.every(part => part(new RequestHead('GET', 'http', 'app', path, new Fields([])), []));
  t.ok(accepts('Exact', '/%7eme/%c3%a9', '/~me/%C3%A9'));
  t.ok(accepts('Exact', '/café', '/caf%C3%A9'));
  t.ok(accepts('PathPrefix', '/a%2eb//c/', '/a.b/c/d'));
  t.equal(normalized('PathPrefix', '/a%2eb//c').prefix, '/a.b/c', 'what ReplacePrefixMatch takes off');
  t.notOk(accepts('Exact', '/a%00', '/a'), 'what has no normal form matches nothing');
  t.ok(accepts('RegularExpression', '/%7E//', '/%7E//'), 'a regular expression stays as it is');
  t.ok(compileMatch({ path: { type: 'Exact', value: '/%7e' } }, 'NONE').stable.length > 0);
  t.end();
});

t.test('a prefix matches exactly the paths whose segments begin with its own', t => {
  const segments = fc.array(fc.constantFrom('a', 'b', 'ab', 'v2', 'v2x'), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(segments, segments, (prefix, path) => {
      const expected = prefix.every((segment, i) => segment === path[i]);
      t.equal(
        matches({ path: { type: 'PathPrefix', value: `/${prefix.join('/')}` } }, { path: `/${path.join('/')}` }),
        expected,
      );
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('an exact path is the whole path without its query', t => {
  const exact = (path: string): boolean => matches({ path: { type: 'Exact', value: '/books/Book' } }, { path });
  t.ok(exact('/books/Book'));
  t.ok(exact('/books/Book?id=1'));
  t.notOk(exact('/books/Book/'));
  t.notOk(exact('/books/book'));
  t.end();
});

t.test('a regular expression must match all of the path', t => {
  const regex = (value: string, path: string): boolean =>
    matches({ path: { type: 'RegularExpression', value } }, { path });
  t.ok(regex('/v[0-9]+/.*', '/v12/books?x'));
  t.notOk(regex('/v[0-9]+', '/v12/books'));
  t.notOk(regex('v[0-9]+', '/v12'));
  t.ok(regex('/a|/b', '/b'), 'alternatives are anchored together');
  t.notOk(regex('/a|/b', '/ab'));
  t.notOk(regex('/(', '/('), 'one that does not compile matches nothing');
  t.notOk(regex('/(a|a)*b', `/${'a'.repeat(4_000)}`), 'in linear time, whatever the pattern');
  t.end();
});

t.test('methods are compared with case', t => {
  t.ok(matches({ method: 'POST' }, { method: 'POST' }));
  t.notOk(matches({ method: 'POST' }, { method: 'GET' }));
  t.notOk(matches({ method: 'POST' }, { method: 'post' }));
  t.end();
});

t.test('header names are compared without case, values with', t => {
  const header = (type: 'Exact' | 'RegularExpression', value: string, fields: readonly string[]): boolean =>
    matches({ headers: [{ name: 'X-Version', type, value }] }, { fields });
  t.ok(header('Exact', 'v2', ['x-version', 'v2']));
  t.notOk(header('Exact', 'v2', ['x-version', 'V2']));
  t.notOk(header('Exact', 'v2', ['x-versions', 'v2']));
  t.notOk(header('Exact', 'v2', []));
  t.ok(
    header('Exact', 'v1,v2', ['x-version', 'v1', 'other', 'x', 'x-version', 'v2']),
    'several count as one, joined by commas',
  );
  t.notOk(header('Exact', 'v1', ['x-version', 'v1', 'x-version', 'v2']));
  t.ok(header('RegularExpression', 'v[12]', ['x-version', 'v2']));
  t.notOk(header('RegularExpression', 'v[12]', ['x-version', 'v22']));
  t.ok(header('Exact', ' caf\u00e9', ['x-version', 'caf\xc3\xa9']), 'text beyond ASCII is UTF-8 on the wire');
  t.notOk(header('RegularExpression', '.*', []), 'a header that is not there matches no pattern');
  t.end();
});

t.test('the host header is the authority', t => {
  t.ok(matches({ headers: [{ name: 'host', type: 'Exact', value: 'app:80' }] }, { authority: 'app:80' }));
  t.notOk(matches({ headers: [{ name: 'Host', type: 'Exact', value: 'app' }] }, { authority: 'other' }));
  t.end();
});

t.test('query parameters are compared decoded, the first of a name counts', t => {
  const query = (value: string, path: string): boolean =>
    matches({ query: [{ name: 'color', type: 'Exact', value }] }, { path });
  t.ok(query('blue', '/?color=blue'));
  t.ok(query('light blue', '/?a=1&color=light%20blue'));
  t.ok(query('blue', '/?color=blue&color=red'));
  t.notOk(query('red', '/?color=blue&color=red'));
  t.notOk(query('blue', '/?Color=blue'), 'names with case');
  t.notOk(query('', '/'), 'a parameter that is not there');
  t.ok(query('', '/?color'));
  t.ok(matches({ query: [{ name: 'n', type: 'RegularExpression', value: '[0-9]+' }] }, { path: '/?n=42' }));
  t.end();
});

t.test('all parts of a match must hold, and any match of a rule', t => {
  const path = { type: 'PathPrefix', value: '/v2' } as const;
  const headers = [{ name: 'canary', type: 'Exact', value: 'yes' }] as const;
  const both = [ruleOf('both', { path, headers })];
  t.equal(match(both, { path: '/v2' }), undefined);
  t.equal(match(both, { fields: ['canary', 'yes'] }), undefined);
  t.ok(match(both, { path: '/v2', fields: ['canary', 'yes'] }));
  const either = [ruleOf('either', { path }, { headers })];
  t.ok(match(either, { path: '/v2' }));
  t.ok(match(either, { fields: ['canary', 'yes'] }));
  t.equal(match(either, {}), undefined);
  t.end();
});

t.test('the first rule that matches wins; one without matches takes everything', t => {
  const rules = [
    ruleOf('a', { path: { type: 'Exact', value: '/a' } }),
    ruleOf('rest'),
    ruleOf('never', { method: 'GET' }),
  ];
  t.equal(match(rules, { path: '/a' })?.rule.view.name, 'a');
  t.equal(match(rules, { path: '/b' })?.rule.view.name, 'rest');
  t.equal(match([], {}), undefined);
  t.end();
});

t.test('the prefix that matched is told, for ReplacePrefixMatch', t => {
  const rules = [ruleOf('r', { path: { type: 'Exact', value: '/a' } }, { path: { type: 'PathPrefix', value: '/b/' } })];
  t.equal(match(rules, { path: '/a' })?.prefix, '');
  t.equal(match(rules, { path: '/b/c' })?.prefix, '/b/');
  t.end();
});

t.test('a verdict can be kept with the head unless a volatile field had a say in it', t => {
  const traced: MatchView = {
    path: { type: 'PathPrefix', value: '/traced' },
    headers: [{ name: 'x-request-id', type: 'Exact', value: '42' }],
  };
  const rules = [ruleOf('traced', traced), ruleOf('rest')];
  const volatile = ['x-request-id', '42'];
  t.match(match(rules, { path: '/traced', volatile }), { rule: { view: { name: 'traced' } }, stable: false });
  t.match(
    match(rules, { path: '/traced' }),
    { rule: { view: { name: 'rest' } }, stable: false },
    'the next request may carry it',
  );
  t.match(
    match(rules, { path: '/other', volatile }),
    { rule: { view: { name: 'rest' } }, stable: true },
    'the path alone decided',
  );
  t.end();
});

t.test('a request without a path, such as CONNECT, matches a rule without a path and no other', t => {
  t.ok(match([ruleOf('any')], { method: 'CONNECT', path: '' }));
  t.equal(
    match([ruleOf('v2', { path: { type: 'PathPrefix', value: '/v2' } })], { method: 'CONNECT', path: '' }),
    undefined,
  );
  t.end();
});
