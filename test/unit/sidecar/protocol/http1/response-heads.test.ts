import t from 'tap';
import type { Http1Fault } from '../../../../../sidecar/protocol/http1/faults.ts';
import { type DecodedResponse, Http1ResponseHeads } from '../../../../../sidecar/protocol/http1/response-heads.ts';

const head = (line: string, ...fields: string[]): string => `${[line, ...fields].join('\r\n')}\r\n\r\n`;
const ok = (...fields: string[]): string => head('HTTP/1.1 200 OK', ...fields);

const decoded = (heads: Http1ResponseHeads, text: string): DecodedResponse => {
  const response = heads.match(text, 0) ?? heads.parse(text);
  if (typeof response === 'string') throw new Error(response);
  return response;
};

const refused: readonly (readonly [Http1Fault, string, string])[] = [
  ['bad_status_line', 'HTTP/2', head('HTTP/2 200 OK')],
  ['bad_status_line', 'HTTP/1.2', head('HTTP/1.2 200 OK')],
  ['bad_status_line', 'lower-case http', head('http/1.1 200 OK')],
  ['bad_status_line', 'no status', head('HTTP/1.1')],
  ['bad_status_line', 'a status of two digits', head('HTTP/1.1 20 OK')],
  ['bad_status_line', 'a status of four digits', head('HTTP/1.1 2000 OK')],
  ['bad_status_line', 'status 099', head('HTTP/1.1 099 OK')],
  ['bad_status_line', 'status 600', head('HTTP/1.1 600 OK')],
  ['bad_status_line', 'a signed status', head('HTTP/1.1 +20 OK')],
  ['bad_status_line', 'two spaces', head('HTTP/1.1  200 OK')],
  ['bad_status_line', 'a bare LF in the reason', head('HTTP/1.1 200 O\nK')],
  ['bad_status_line', 'a bare CR in the reason', head('HTTP/1.1 200 O\rK')],
  ['bad_status_line', 'a very long reason', head(`HTTP/1.1 200 ${'x'.repeat(16_384)}`)],
  [
    'transfer_encoding_with_content_length',
    'content-length and chunked',
    ok('Content-Length: 1', 'Transfer-Encoding: chunked'),
  ],
  ['content_length_repeated', 'two lengths', ok('Content-Length: 1', 'Content-Length: 1')],
  ['bad_content_length', 'a bad length', ok('Content-Length: 1a')],
  ['unknown_transfer_coding', 'gzip as transfer coding', ok('Transfer-Encoding: gzip, chunked')],
  ['transfer_encoding_in_http_1_0', 'chunked in HTTP/1.0', head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')],
  ['space_before_colon', 'space before the colon', ok('A : b')],
  ['obs_fold', 'a folded field', ok('A: b', ' c')],
  ['bad_field_value', 'a NUL', ok('A: \0')],
];
for (const [fault, name, text] of refused) {
  t.test(`a response with ${name} is refused as ${fault}`, t => {
    t.equal(new Http1ResponseHeads().parse(text), fault);
    t.end();
  });
}

t.test('the same bytes give the same head, whatever the volatile fields say', t => {
  const heads = new Http1ResponseHeads();
  const text = (length: string, date: string): string =>
    ok('Server: x', `Content-Length: ${length}`, `Date: ${date}`, 'Set-Cookie: a', 'Set-Cookie: b');
  decoded(heads, text('1', 'now'));
  const first = decoded(heads, text('2', 'then'));
  const third = heads.match(`${text('33', 'later')}body`, 0);
  t.equal(third?.head, first.head);
  t.equal(third?.contentLength, 33);
  t.equal(third?.bytes, text('33', 'later').length);
  t.same(third?.volatile, ['content-length', '33', 'date', 'later']);
  t.same(first.head.fields.list, ['server', 'x', 'set-cookie', 'a', 'set-cookie', 'b']);
  t.equal(first.head.fields.http1Shape, '1.1;Server,Content-Length,Date,Set-Cookie,Set-Cookie');
  t.end();
});

t.test('status, and whether the connection lives on', t => {
  const response = (text: string): [number, boolean] => {
    const { head, pattern } = decoded(new Http1ResponseHeads(), text);
    return [head.status, pattern.keepAlive];
  };
  t.same(response(ok()), [200, true]);
  t.same(response(head('HTTP/1.1 404')), [404, true], 'no reason, no space');
  t.same(response(head('HTTP/1.1 500 ')), [500, true], 'no reason');
  t.same(response(head('HTTP/1.1 200 caf\xe9 ol\xe9', 'Connection: close')), [200, false]);
  t.same(response(head('HTTP/1.0 200 OK')), [200, false]);
  t.same(response(head('HTTP/1.0 200 OK', 'Connection: keep-alive')), [200, true]);
  t.end();
});

t.test('an answer that comes again within a second gives the same list, and another one its own', t => {
  const heads = new Http1ResponseHeads();
  const text = (length: string, date: string): string => ok('Server: x', `Date: ${date}`, `Content-Length: ${length}`);
  const read = (length: string, date: string, body = ''): readonly string[] => {
    const response = decoded(heads, text(length, date) + body);
    t.same(response.volatile, ['date', date, 'content-length', length]);
    t.equal(response.contentLength, Number(length));
    t.equal(response.bytes, text(length, date).length);
    return response.volatile;
  };
  for (let i = 0; i < 3; i++) decoded(heads, text('5', 'now'));
  t.equal(read('5', 'now', 'hello'), read('5', 'now', 'world'));
  t.not(read('50', 'now'), read('5', 'now'));
  t.not(read('5', 'now'), read('5', 'later'));
  t.equal(read('5', 'later'), read('5', 'later', '\r\n\r\n'));
  t.end();
});
