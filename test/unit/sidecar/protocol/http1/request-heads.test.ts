import t from 'tap';
import type { Http1Fault } from '../../../../../sidecar/protocol/http1/faults.ts';
import { type DecodedRequest, Http1RequestHeads } from '../../../../../sidecar/protocol/http1/request-heads.ts';

const parse = (text: string): DecodedRequest | Http1Fault => new Http1RequestHeads().parse(text);
const head = (line: string, ...fields: string[]): string => `${[line, ...fields].join('\r\n')}\r\n\r\n`;
const get = (...fields: string[]): string => head('GET / HTTP/1.1', 'Host: a', ...fields);

const decoded = (heads: Http1RequestHeads, text: string): DecodedRequest => {
  const request = heads.match(text, 0) ?? heads.parse(text);
  if (typeof request === 'string') throw new Error(request);
  return request;
};

const refused: readonly (readonly [Http1Fault, string, string])[] = [
  [
    'transfer_encoding_with_content_length',
    'content-length and chunked',
    get('Content-Length: 5', 'Transfer-Encoding: chunked'),
  ],
  [
    'transfer_encoding_with_content_length',
    'chunked and content-length',
    get('Transfer-Encoding: chunked', 'Content-Length: 5'),
  ],
  ['content_length_repeated', 'two lengths that differ', get('Content-Length: 5', 'Content-Length: 6')],
  ['content_length_repeated', 'two lengths that agree', get('Content-Length: 5', 'content-length: 5')],
  ['bad_content_length', 'a list of lengths', get('Content-Length: 5, 5')],
  ['bad_content_length', 'a length with a plus', get('Content-Length: +5')],
  ['bad_content_length', 'a negative length', get('Content-Length: -1')],
  ['bad_content_length', 'a hexadecimal length', get('Content-Length: 0x5')],
  ['bad_content_length', 'a fractional length', get('Content-Length: 5.0')],
  ['bad_content_length', 'an empty length', get('Content-Length:')],
  ['bad_content_length', 'a length over 2^53', get('Content-Length: 9007199254740993')],
  ['bad_content_length', 'a length with white space in it', get('Content-Length: 1 2')],
  ['unknown_transfer_coding', 'gzip alone', get('Transfer-Encoding: gzip')],
  ['unknown_transfer_coding', 'gzip, then chunked', get('Transfer-Encoding: gzip, chunked')],
  [
    'unknown_transfer_coding',
    'gzip and chunked in two fields',
    get('Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'),
  ],
  ['unknown_transfer_coding', 'identity', get('Transfer-Encoding: identity')],
  ['unknown_transfer_coding', 'a coding that only looks like chunked', get('Transfer-Encoding: xchunked')],
  ['bad_transfer_encoding', 'chunked that is not last', get('Transfer-Encoding: chunked, gzip')],
  ['bad_transfer_encoding', 'chunked twice', get('Transfer-Encoding: chunked, chunked')],
  ['bad_transfer_encoding', 'chunked in two fields', get('Transfer-Encoding: chunked', 'transfer-encoding: chunked')],
  ['bad_transfer_encoding', 'an empty transfer encoding', get('Transfer-Encoding:')],
  ['bad_transfer_encoding', 'chunked and an empty element', get('Transfer-Encoding: chunked,')],
  ['bad_transfer_encoding', 'quoted chunked', get('Transfer-Encoding: "chunked"')],
  ['bad_field_value', 'chunked after a vertical tab', get('Transfer-Encoding: \x0bchunked')],
  [
    'transfer_encoding_in_http_1_0',
    'chunked in HTTP/1.0',
    head('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked'),
  ],
  ['space_before_colon', 'space before the colon', get('Content-Length : 5')],
  ['space_before_colon', 'tab before the colon', get('Transfer-Encoding\t: chunked')],
  ['obs_fold', 'a folded field', get('X: a', ' b')],
  ['obs_fold', 'a folded field with a tab', get('X: a', '\tContent-Length: 5')],
  ['obs_fold', 'white space before the first field', head('GET / HTTP/1.1', ' Host: a')],
  ['bad_field_name', 'an empty name', get(': a')],
  ['bad_field_name', 'a line without colon', get('nonsense')],
  ['bad_field_name', 'a name in brackets', get('X[]: a')],
  ['bad_field_name', 'a name with obs-text', get('X\xe9: a')],
  ['bad_field_name', 'a name with NUL', get('X\0: a')],
  ['bad_field_value', 'NUL in a value', get('X: a\0b')],
  ['bad_field_value', 'DEL in a value', get('X: a\x7fb')],
  ['bad_field_value', 'escape in a value', get('X: a\x1bb')],
  ['bad_line_end', 'bare LF between fields', get('X: a\nContent-Length: 5')],
  ['bad_line_end', 'bare CR in a value', get('X: a\rContent-Length: 5')],
  ['bad_line_end', 'two CR before LF', 'GET / HTTP/1.1\r\nHost: a\r\r\n\r\n'],
  ['bad_line_end', 'bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
  ['host_missing', 'HTTP/1.1 without Host', head('GET / HTTP/1.1')],
  ['host_missing', 'absolute-form without Host', head('GET http://a/ HTTP/1.1')],
  ['host_repeated', 'two hosts', get('Host: b')],
  ['host_repeated', 'two equal hosts', get('host: a')],
  ['bad_host', 'a host list', head('GET / HTTP/1.1', 'Host: a, b')],
  ['bad_host', 'userinfo in Host', head('GET / HTTP/1.1', 'Host: a@b')],
  ['bad_host', 'a path in Host', head('GET / HTTP/1.1', 'Host: a/b')],
  ['bad_host', 'white space in Host', head('GET / HTTP/1.1', 'Host: a b')],
  ['bad_host', 'a port that is no number', head('GET / HTTP/1.1', 'Host: a:b')],
  ['bad_host', 'two ports', head('GET / HTTP/1.1', 'Host: a:1:2')],
  ['bad_host', 'an open bracket', head('GET / HTTP/1.1', 'Host: [::1')],
  ['bad_version', 'HTTP/2.0', head('GET / HTTP/2.0', 'Host: a')],
  ['bad_version', 'HTTP/1.2', head('GET / HTTP/1.2', 'Host: a')],
  ['bad_version', 'HTTP/0.9', head('GET / HTTP/0.9', 'Host: a')],
  ['bad_version', 'HTTP/1.10', head('GET / HTTP/1.10', 'Host: a')],
  ['bad_request_line', 'lower-case version', head('GET / http/1.1', 'Host: a')],
  ['bad_request_line', 'no version', head('GET /', 'Host: a')],
  ['bad_request_line', 'an empty request line', head('', 'Host: a')],
  ['bad_request_line', 'space after the version', head('GET / HTTP/1.1 ', 'Host: a')],
  ['bad_request_line', 'only the version', head(' HTTP/1.1x', 'Host: a')],
  ['bad_method', 'no method', head(' HTTP/1.1', 'Host: a')],
  ['bad_method', 'space before the method', head(' GET / HTTP/1.1', 'Host: a')],
  ['bad_method', 'a method with a colon', head('GE:T / HTTP/1.1', 'Host: a')],
  ['bad_target', 'two spaces', head('GET  / HTTP/1.1', 'Host: a')],
  ['bad_target', 'a tab in the target', head('GET /a\tb HTTP/1.1', 'Host: a')],
  ['bad_target', 'a space in the target', head('GET /a b HTTP/1.1', 'Host: a')],
  ['bad_target', 'two versions', head('GET / HTTP/1.1 HTTP/1.1', 'Host: a')],
  ['bad_target', 'NUL in the target', head('GET /\0 HTTP/1.1', 'Host: a')],
  ['bad_target', 'DEL in the target', head('GET /\x7f HTTP/1.1', 'Host: a')],
  ['bad_target', 'a bare CR in the target', head('GET /\r HTTP/1.1', 'Host: a')],
  ['bad_target', 'a fragment', head('GET /#a HTTP/1.1', 'Host: a')],
  ['bad_target', 'a relative path', head('GET a HTTP/1.1', 'Host: a')],
  ['bad_target', 'an asterisk with GET', head('GET * HTTP/1.1', 'Host: a')],
  ['bad_target', 'another scheme', head('GET ftp://a/ HTTP/1.1', 'Host: a')],
  ['bad_target', 'https through a plaintext proxy', head('GET https://a/ HTTP/1.1', 'Host: a')],
  ['bad_target', 'userinfo in absolute-form', head('GET http://u@a/ HTTP/1.1', 'Host: a')],
  ['bad_target', 'absolute-form without authority', head('GET http:///x HTTP/1.1', 'Host: a')],
  ['bad_target', 'CONNECT without a port', head('CONNECT a HTTP/1.1', 'Host: a')],
  ['bad_target', 'CONNECT to port 0', head('CONNECT a:0 HTTP/1.1', 'Host: a')],
  ['bad_target', 'CONNECT to port 65536', head('CONNECT a:65536 HTTP/1.1', 'Host: a')],
  ['bad_target', 'CONNECT to a path', head('CONNECT /a:80 HTTP/1.1', 'Host: a')],
  ['bad_target', 'CONNECT with userinfo', head('CONNECT u@a:80 HTTP/1.1', 'Host: a')],
  ['body_with_connect', 'CONNECT with a body', head('CONNECT a:80 HTTP/1.1', 'Host: a', 'Content-Length: 5')],
  [
    'body_with_connect',
    'CONNECT with a chunked body',
    head('CONNECT a:80 HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'),
  ],
  ['http2_preface', 'the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\n'],
  ['request_line_too_long', 'a request line over 16 KiB', head(`GET /${'a'.repeat(16_384)} HTTP/1.1`, 'Host: a')],
  ['too_many_fields', '201 fields', get(...Array.from({ length: 200 }, (_, i) => `X${i}: a`))],
];

for (const [fault, name, text] of refused) {
  t.test(`${name} is refused as ${fault}`, t => {
    t.equal(parse(text), fault);
    const warm = new Http1RequestHeads();
    for (let i = 0; i < 3; i++) warm.parse(get());
    t.equal(warm.match(text.slice(0, 4_096), 0), undefined, 'also by listeners that know other heads');
    t.end();
  });
}

t.test('a request has method, path, authority and lower-case fields in order', t => {
  const { head, volatile, bytes } = decoded(new Http1RequestHeads(), get('X-One: 1', 'x-two:2', 'X-ONE: \t3 '));
  t.match(head, { method: 'GET', path: '/', authority: 'a', scheme: 'http', protocol: '' });
  t.same(head.fields.list, ['x-one', '1', 'x-two', '2', 'x-one', '3']);
  t.equal(head.fields.http1Shape, '1.1;Host,X-One,x-two,X-ONE');
  t.same(volatile, []);
  t.equal(bytes, get('X-One: 1', 'x-two:2', 'X-ONE: \t3 ').length);
  t.end();
});

t.test('volatile fields are split off, in order', t => {
  const { head, volatile, contentLength } = decoded(
    new Http1RequestHeads(),
    get('TraceParent: 00-1', 'X: y', 'Content-Length: 12', 'X-Request-Id:'),
  );
  t.same(head.fields.list, ['x', 'y']);
  t.same(volatile, ['traceparent', '00-1', 'content-length', '12', 'x-request-id', '']);
  t.equal(contentLength, 12);
  t.equal(head.fields.http1Shape, '1.1;Host,TraceParent,X,Content-Length,X-Request-Id');
  t.end();
});

t.test('the same bytes give the same head from the second time on', t => {
  const heads = new Http1RequestHeads();
  const text = (path: string, id: string): string =>
    head(`GET ${path} HTTP/1.1`, 'Host: a', `X-Request-Id: ${id}`, 'A: b');
  decoded(heads, text('/', '1'));
  t.equal(heads.match(text('/', '1'), 0), undefined, 'what came once is not kept');
  const second = decoded(heads, text('/', '2'));
  const third = heads.match(text('/', 'three'), 0);
  t.equal(third?.head, second.head);
  t.same(third?.volatile, ['x-request-id', 'three']);
  t.equal(third?.bytes, text('/', 'three').length);
  t.end();
});

t.test('another path shares the fields', t => {
  const heads = new Http1RequestHeads();
  decoded(heads, head('GET /1 HTTP/1.1', 'Host: a', 'A: b'));
  const second = decoded(heads, head('GET /2 HTTP/1.1', 'Host: a', 'A: b'));
  const third = heads.match(head('GET /3 HTTP/1.1', 'Host: a', 'A: b'), 0);
  t.equal(third?.head.fields, second.head.fields);
  t.equal(third?.head.path, '/3');
  t.end();
});

t.test('a head that was seen often is found with bytes after it, and not when it is cut', t => {
  const heads = new Http1RequestHeads();
  const text = get('Content-Length: 5');
  for (let i = 0; i < 3; i++) decoded(heads, text);
  t.equal(heads.match(`${text}hello`, 0)?.bytes, text.length);
  for (let end = 0; end < text.length; end++) t.equal(heads.match(text.slice(0, end), 0), undefined);
  t.end();
});

t.test('a known head does not let a bad volatile value through', t => {
  const heads = new Http1RequestHeads();
  const text = (length: string, id = 'x'): string => get(`Content-Length: ${length}`, `X-Request-Id: ${id}`);
  for (let i = 0; i < 3; i++) decoded(heads, text('5'));
  for (const length of ['+5', '5, 5', '5 ', ' 5', '05', '5\rX: y', '5\nX: y', '', '0x5', '12345678901234567']) {
    t.equal(heads.match(text(length), 0), undefined, JSON.stringify(length));
  }
  for (const id of ['a\0', 'a\nContent-Length: 6', '\ta', 'a\x7f', 'a\rb'])
    t.equal(heads.match(text('5', id), 0), undefined);
  t.match(heads.parse(text(' 05 ')), { contentLength: 5, volatile: ['content-length', '5', 'x-request-id', 'x'] });
  t.end();
});

t.test('hop-by-hop fields stay on their connection', t => {
  const { head } = decoded(
    new Http1RequestHeads(),
    get(
      'Connection: keep-alive, X-Hop',
      'Connection: close',
      'X-Hop: 1',
      'Keep-Alive: 5',
      'Proxy-Connection: x',
      'TE: gzip',
      'Upgrade: h2c',
      'Transfer-Encoding: chunked',
      'Trailer: X',
    ),
  );
  t.same(head.fields.list, ['trailer', 'X']);
  t.equal(head.fields.http1Shape, '1.1;Host,Transfer-Encoding,Trailer');
  t.end();
});

t.test('TE is kept as far as it asks for trailers', t => {
  t.same(decoded(new Http1RequestHeads(), get('TE: gzip, trailers;q=1', 'Connection: TE')).head.fields.list, [
    'te',
    'trailers',
  ]);
  t.same(decoded(new Http1RequestHeads(), get('TE: trailers2')).head.fields.list, []);
  t.end();
});

t.test('Connection can not name away what frames or addresses the message', t => {
  const request = decoded(new Http1RequestHeads(), get('Connection: host, content-length', 'Content-Length: 5'));
  t.equal(request.head.authority, 'a');
  t.equal(request.contentLength, 5);
  t.same(request.volatile, ['content-length', '5']);
  t.end();
});

t.test('a length may be as long as numbers are exact', t => {
  const heads = new Http1RequestHeads();
  for (let i = 0; i < 3; i++)
    t.equal(decoded(heads, get('Content-Length: 9007199254740991')).contentLength, 2 ** 53 - 1);
  t.equal(heads.match(get('Content-Length: 9007199254740992'), 0), undefined);
  t.equal(heads.match(get('Content-Length: 9007199254740993'), 0), undefined);
  t.end();
});

t.test('the connection lives on as the versions say', t => {
  const keeps = (text: string): boolean => decoded(new Http1RequestHeads(), text).pattern.keepAlive;
  t.equal(keeps(get()), true);
  t.equal(keeps(get('Connection: Close')), false);
  t.equal(keeps(head('GET / HTTP/1.0')), false);
  t.equal(keeps(head('GET / HTTP/1.0', 'Connection: Keep-Alive')), true);
  t.equal(keeps(head('GET / HTTP/1.0', 'Connection: keep-alive, close')), false);
  t.end();
});

t.test('HTTP/1.0 needs no Host', t => {
  const { head: request, pattern } = decoded(new Http1RequestHeads(), head('GET / HTTP/1.0'));
  t.equal(request.authority, '');
  t.equal(pattern.version, '1.0');
  t.equal(request.fields.http1Shape, '1.0;');
  t.end();
});

t.test('targets', t => {
  const request = (line: string) => decoded(new Http1RequestHeads(), head(`${line} HTTP/1.1`, 'Host: host')).head;
  t.match(request('GET http://other:81/p?q'), { authority: 'other:81', path: '/p?q' }, 'absolute-form replaces Host');
  t.match(request('GET HTTP://other'), { authority: 'other', path: '/' });
  t.match(request('GET http://other?q'), { authority: 'other', path: '/?q' });
  t.match(request('OPTIONS http://other'), { authority: 'other', path: '*' }, 'RFC 9112 §3.2.4');
  t.match(request('OPTIONS *'), { authority: 'host', path: '*' });
  t.match(request('CONNECT [::1]:443'), { method: 'CONNECT', authority: '[::1]:443', path: '' });
  t.match(request('GET /caf\xc3\xa9|"{}'), { path: '/caf\xc3\xa9|"{}' }, 'what browsers and curl send unescaped');
  t.match(request('M-SEARCH //x'), { method: 'M-SEARCH', path: '//x' });
  t.end();
});

t.test('hosts', t => {
  for (const host of ['', 'a', 'a:80', 'a:', '[::1]:80', '[::ffff:1.2.3.4]', 'a_b.c-d~e', '1.2.3.4', 'x%41']) {
    t.equal(decoded(new Http1RequestHeads(), head('GET / HTTP/1.1', `Host: ${host}`)).head.authority, host);
  }
  t.end();
});

t.test('an Upgrade to one protocol is asked for by GET without a body', t => {
  const protocol = (method: string, ...fields: string[]): string =>
    decoded(new Http1RequestHeads(), head(`${method} / HTTP/1.1`, 'Host: a', ...fields)).head.protocol;
  t.equal(protocol('GET', 'Connection: Upgrade', 'Upgrade: WebSocket'), 'websocket');
  t.equal(protocol('GET', 'Connection: keep-alive, upgrade', 'Upgrade: foo'), 'foo');
  t.equal(protocol('GET', 'Upgrade: websocket'), '', 'not without Connection');
  t.equal(protocol('GET', 'Connection: upgrade'), '', 'not without Upgrade');
  t.equal(protocol('GET', 'Connection: upgrade', 'Upgrade: h2c'), '', 'not to h2c');
  t.equal(protocol('GET', 'Connection: upgrade', 'Upgrade: a, b'), '', 'not to several');
  t.equal(protocol('GET', 'Connection: upgrade', 'Upgrade: a', 'Upgrade: b'), '', 'not to several');
  t.equal(protocol('GET', 'Connection: upgrade', 'Upgrade: foo', 'Content-Length: 1'), '', 'not with a body');
  t.equal(protocol('POST', 'Connection: upgrade', 'Upgrade: websocket'), '', 'not with POST');
  t.equal(
    decoded(new Http1RequestHeads(), head('GET / HTTP/1.0', 'Connection: upgrade', 'Upgrade: websocket')).head.protocol,
    '',
    'not in HTTP/1.0',
  );
  t.end();
});

t.test('values may be latin1', t => {
  t.same(decoded(new Http1RequestHeads(), get('X: \xe9\xff')).head.fields.list, ['x', '\xe9\xff']);
  t.end();
});

t.test('ever new heads and paths keep working', t => {
  const heads = new Http1RequestHeads();
  for (let i = 0; i < 10_000; i++) {
    if (decoded(heads, head(`GET /${i} HTTP/1.1`, 'Host: a')).head.path !== `/${i}`) t.fail(String(i));
    if (i % 8 === 0) decoded(heads, get(`X: ${i}`));
  }
  t.equal(
    decoded(heads, head(`GET /${'x'.repeat(5_000)} HTTP/1.1`, 'Host: a', `X: ${'y'.repeat(5_000)}`)).head.path.length,
    5_001,
  );
  t.end();
});

t.test('names that only the mesh may use never come from an app', t => {
  const { head: request, volatile } = decoded(
    new Http1RequestHeads(),
    get(
      'outrider-port: 22',
      'X-Outrider-Peer: spiffe://evil',
      'X-Forwarded-Client-Cert: By=me',
      'outrider-timeout-ms: 1',
      'a: b',
    ),
  );
  t.same(request.fields.list, ['a', 'b']);
  t.same(volatile, []);
  t.equal(request.fields.http1Shape, '1.1;Host,a');
  t.end();
});
