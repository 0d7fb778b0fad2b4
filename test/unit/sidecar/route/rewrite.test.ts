import t from 'tap';
import type { FilterView, NameValue } from '../../../../api/snapshot.ts';
import { Fields, RequestHead, ResponseHead } from '../../../../sidecar/protocol/head.ts';
import { ResponseRewrite } from '../../../../sidecar/route/response-rewrite.ts';
import { redirectOf, rewriteRequest, rewriteResponse, rewriteVolatile } from '../../../../sidecar/route/rewrite.ts';

const headOf = (path: string, fields: readonly string[] = [], authority = 'app:8080', scheme = 'http'): RequestHead =>
  new RequestHead('GET', scheme, authority, path, new Fields(fields, '1.1;Host'));
interface Change {
  readonly set?: readonly NameValue[];
  readonly add?: readonly NameValue[];
  readonly remove?: readonly string[];
}
const requestModifier = (change: Change): FilterView => ({
  type: 'RequestHeaderModifier',
  set: [],
  add: [],
  remove: [],
  ...change,
});
const field = (name: string, value: string) => ({ name, value });

t.test('a replaced prefix follows the table of the Gateway API', t => {
  const cases: readonly (readonly [path: string, prefix: string, value: string, result: string])[] = [
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/foo/bar?x=/foo', '/foo', '/', '/bar?x=/foo'],
    ['/foo', '/', '/xyz', '/xyz/foo'],
    ['/foo?q', '/foo', '/', '/?q'],
  ];
  for (const [path, prefix, value, result] of cases) {
    const filters: FilterView[] = [{ type: 'URLRewrite', path: { type: 'ReplacePrefixMatch', value } }];
    t.equal(rewriteRequest(headOf(path), filters, prefix).path, result, `${path}, ${prefix} → ${value || "''"}`);
  }
  t.end();
});

t.test('a full path is replaced and the query kept', t => {
  const filters: FilterView[] = [
    { type: 'URLRewrite', hostname: 'other', path: { type: 'ReplaceFullPath', value: '/one' } },
  ];
  const head = rewriteRequest(headOf('/foo/bar?a=1&b=2'), filters, '/foo');
  t.equal(head.path, '/one?a=1&b=2');
  t.equal(head.authority, 'other');
  t.equal(head.method, 'GET');
  t.end();
});

t.test('a path that could not stand in a request line is encoded, and begins with a slash', t => {
  const path = (value: string): string =>
    rewriteRequest(headOf('/foo?q'), [{ type: 'URLRewrite', path: { type: 'ReplaceFullPath', value } }], '').path;
  t.equal(path('/a b?c'), '/a%20b%3Fc?q');
  t.equal(path('one'), '/one?q');
  t.equal(path(''), '/?q');
  t.end();
});

t.test('a value beyond ASCII goes out as UTF-8 and never as a line break', t => {
  const filters = [requestModifier({ set: [field('a', ' caf\u00e9 '), field('b', '\u010a')] })];
  t.same(rewriteRequest(headOf('/'), filters, '').fields.list, ['a', 'caf\xc3\xa9', 'b', '\xc4\x8a']);
  t.end();
});

t.test('fields are set, added and removed, whatever the case of the names', t => {
  const head = headOf('/', ['keep', '1', 'replace', 'old', 'join', 'a', 'drop', 'x', 'drop', 'y', 'replace', 'older']);
  const filters = [
    requestModifier({
      set: [field('Replace', 'new'), field('fresh', '1')],
      add: [field('Join', 'b'), field('more', 'c')],
      remove: ['Drop', 'absent'],
    }),
  ];
  const { fields } = rewriteRequest(head, filters, '');
  t.same(fields.list, ['keep', '1', 'join', 'a,b', 'replace', 'new', 'fresh', '1', 'more', 'c']);
  t.equal(fields.http1Shape, '1.1;Host', 'the spelling of the other names stays');
  t.same(head.fields.list.slice(0, 4), ['keep', '1', 'replace', 'old'], 'the interned head is as it was');
  t.end();
});

t.test('setting Host sets the authority', t => {
  const head = rewriteRequest(headOf('/'), [requestModifier({ set: [field('Host', 'elsewhere')] })], '');
  t.equal(head.authority, 'elsewhere');
  t.same(head.fields.list, []);
  t.end();
});

t.test('a filter that changes nothing gives the same object', t => {
  const head = headOf('/', ['a', '1']);
  t.equal(rewriteRequest(head, [], ''), head);
  t.equal(rewriteRequest(head, [requestModifier({})], ''), head);
  const response = new ResponseHead(200, new Fields([]));
  t.equal(
    rewriteResponse(response, [requestModifier({ set: [field('a', '1')] })]),
    response,
    'a filter of the other direction',
  );
  t.end();
});

t.test('what frames a message, belongs to the connection or to the mesh stays out of reach', t => {
  const names = [
    'content-length',
    'Transfer-Encoding',
    'connection',
    'keep-alive',
    'proxy-connection',
    'upgrade',
    'te',
    'trailer',
  ];
  for (const name of [...names, ':path', ':authority', 'outrider-to', 'X-Outrider-Peer']) {
    const filters = [requestModifier({ set: [field(name, '1')], add: [field(name, '2')], remove: [name] })];
    const head = headOf('/', [name.toLowerCase(), 'kept']);
    t.equal(rewriteRequest(head, filters, ''), head, name);
    t.equal(rewriteVolatile(filters, 'RequestHeaderModifier'), undefined);
  }
  t.same(rewriteRequest(headOf('/'), [requestModifier({ add: [field('host', 'x')] })], '').fields.list, []);
  t.end();
});

t.test('the answer is changed by the filters for answers', t => {
  const filters: FilterView[] = [
    {
      type: 'ResponseHeaderModifier',
      set: [],
      add: [field('x-by', 'mesh'), field('Set-Cookie', 'b=2')],
      remove: ['server'],
    },
  ];
  const head = new ResponseHead(201, new Fields(['server', 'app', 'set-cookie', 'a=1']));
  const rewritten = rewriteResponse(head, filters);
  t.equal(rewritten.status, 201);
  t.same(rewritten.fields.list, ['set-cookie', 'a=1', 'x-by', 'mesh', 'set-cookie', 'b=2'], 'cookies are never joined');
  t.end();
});

t.test('fields that are new with each message are changed by themselves, not within the interned head', t => {
  const filters = [
    requestModifier({ set: [field('X-Request-Id', '7'), field('other', '1')], remove: ['traceparent'] }),
    requestModifier({ add: [field('tracestate', 'mesh=1')] }),
  ];
  t.same(rewriteRequest(headOf('/'), filters, '').fields.list, ['other', '1']);
  const change = rewriteVolatile(filters, 'RequestHeaderModifier');
  t.same(change?.(['traceparent', '00-1', 'date', 'today', 'x-request-id', '6', 'tracestate', 'a=1']), [
    'date',
    'today',
    'tracestate',
    'a=1,mesh=1',
    'x-request-id',
    '7',
  ]);
  t.equal(rewriteVolatile(filters, 'ResponseHeaderModifier'), undefined);
  t.equal(rewriteVolatile([requestModifier({ set: [field('other', '1')] })], 'RequestHeaderModifier'), undefined);
  t.end();
});

t.test('answers are changed by the filters of the backend, then of the rule, and each interned head once', t => {
  const answer = (change: Change): FilterView => ({
    type: 'ResponseHeaderModifier',
    set: [],
    add: [],
    remove: [],
    ...change,
  });
  const rewrite = ResponseRewrite.of([
    answer({ add: [field('by', 'rule')], set: [field('Date', 'never')] }),
    requestModifier({ set: [field('a', '1')] }),
    answer({ add: [field('by', 'backend')], remove: ['etag'] }),
  ]);
  const head = new ResponseHead(200, new Fields(['server', 'app']));
  const rewritten = rewrite?.head(head);
  t.same(rewritten?.fields.list, ['server', 'app', 'by', 'backend,rule']);
  t.equal(rewrite?.head(head), rewritten);
  t.same(rewrite?.volatile(['etag', '"1"', 'date', 'today', 'age', '3']), ['age', '3', 'date', 'never']);
  const stable = ResponseRewrite.of([answer({ remove: ['server'] })]);
  const volatile = ['date', 'today'];
  t.equal(stable?.volatile(volatile), volatile);
  t.equal(ResponseRewrite.of([requestModifier({ set: [field('a', '1')] })]), undefined);
  t.end();
});

t.test('a redirect follows the rules of the Gateway API for scheme, host, port and path', t => {
  const redirect = (
    filter: Partial<Extract<FilterView, { type: 'RequestRedirect' }>>,
    head: RequestHead,
    prefix = '',
  ): string => redirectOf(head, [{ type: 'RequestRedirect', statusCode: 302, ...filter }], prefix)?.location ?? '';
  const head = headOf('/a/b?q=1');
  t.equal(redirect({ hostname: 'example.org' }, head), 'http://example.org:8080/a/b?q=1', "the request's port");
  t.equal(
    redirect({ hostname: 'example.org' }, headOf('/a', [], 'app')),
    'http://example.org/a',
    'which is 80 by default',
  );
  t.equal(redirect({ scheme: 'https' }, head), 'https://app/a/b?q=1', "the scheme's own port, which is not written");
  t.equal(redirect({ scheme: 'http' }, head), 'http://app/a/b?q=1');
  t.equal(redirect({ scheme: 'https', port: 8_443 }, head), 'https://app:8443/a/b?q=1');
  t.equal(redirect({ scheme: 'https', port: 443 }, head), 'https://app/a/b?q=1');
  t.equal(redirect({ port: 80 }, head), 'http://app/a/b?q=1');
  t.equal(redirect({ port: 443 }, head), 'http://app:443/a/b?q=1');
  t.equal(redirect({}, headOf('/', [], '[::1]:9000')), 'http://[::1]:9000/');
  t.equal(redirect({}, headOf('/', [], 'app:443', 'https')), 'https://app/');
  t.equal(redirect({ path: { type: 'ReplaceFullPath', value: '/new' } }, head), 'http://app:8080/new?q=1');
  t.equal(redirect({ path: { type: 'ReplacePrefixMatch', value: '/z' } }, head, '/a'), 'http://app:8080/z/b?q=1');
  t.end();
});

t.test('the status of a redirect is the one of the filter; without a filter there is none', t => {
  t.equal(redirectOf(headOf('/'), [{ type: 'RequestRedirect', statusCode: 301 }], '')?.status, 301);
  t.equal(redirectOf(headOf('/'), [requestModifier({})], ''), undefined);
  t.end();
});
