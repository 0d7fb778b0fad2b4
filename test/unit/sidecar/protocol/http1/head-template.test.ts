import t from 'tap';
import { Fields } from '../../../../../sidecar/protocol/head.ts';
import {
  announcedLength,
  BAD_FIELDS,
  isWritableTarget,
  NO_LENGTH,
  shapeNames,
  templateOf,
  trailerSection,
} from '../../../../../sidecar/protocol/http1/head-template.ts';
import { Http1RequestHeads } from '../../../../../sidecar/protocol/http1/request-heads.ts';

const START = 'GET / HTTP/1.1\r\n';
const render = (fields: Fields, volatile: readonly string[] = [], chunked = false): string =>
  templateOf(fields).render(START, 'host', volatile, true, chunked, '');

t.test('a head is written as it came: order, spelling, repetition', t => {
  const text = `${START}X-B: 1\r\nHOST: host\r\nuser-AGENT: curl\r\nX-Request-Id: 7\r\nx-b: 2\r\nDate: now\r\nTransfer-Encoding: chunked\r\nX-b: 3\r\n\r\n`;
  const request = new Http1RequestHeads().parse(text);
  if (typeof request === 'string') throw new Error(request);
  t.equal(render(request.head.fields, request.volatile, true), text);
  t.equal(templateOf(request.head.fields), templateOf(request.head.fields), 'its template is made once');
  t.end();
});

t.test('what the mesh added stands at the end, what it took away is gone', t => {
  const fields = new Fields(['accept', '*/*', 'x-new', '1'], '1.1;Host,Gone,Traceparent,Accept,X-Request-Id');
  t.equal(
    render(fields, ['x-request-id', '5', 'b3', '0']),
    `${START}Host: host\r\nAccept: */*\r\nx-new: 1\r\nX-Request-Id: 5\r\nb3: 0\r\n\r\n`.replace(
      'Accept: */*\r\nx-new: 1\r\nX-Request-Id: 5',
      'Accept: */*\r\nX-Request-Id: 5\r\nx-new: 1',
    ),
  );
  t.end();
});

t.test('volatile fields find their places in any order', t => {
  const fields = new Fields([], '1.1;Host,Age,Date,Etag');
  t.equal(
    render(fields, ['etag', 'e', 'date', 'd', 'b3', '0', 'age', 'a']),
    `${START}Host: host\r\nAge: a\r\nDate: d\r\nEtag: e\r\nb3: 0\r\n\r\n`,
  );
  t.end();
});

t.test('a head that came by HTTP/2 is written in lower case, Host first', t => {
  t.equal(
    render(new Fields(['accept', '*/*']), ['date', 'now'], true),
    `${START}host: host\r\naccept: */*\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  t.end();
});

t.test('a shape from a hostile peer is ignored', t => {
  for (const shape of [
    '',
    'x',
    '2;Host',
    '1.1',
    '1.1;Ho st',
    '1.1;A\r\nB',
    '1.1;A:',
    '1.1;,',
    `1.1;${'a,'.repeat(201)}a`,
    `1.1;${'a'.repeat(9_000)}`,
  ]) {
    t.same(shapeNames(shape), [], JSON.stringify(shape.slice(0, 20)));
  }
  t.same(shapeNames('1.0;A,b'), ['A', 'b']);
  const twice = new Fields(
    [],
    '1.1;Host,Host,Content-Length,content-length,Transfer-Encoding,transfer-encoding,Connection,Upgrade',
  );
  t.equal(render(twice, ['content-length', '5']), `${START}Host: host\r\nContent-Length: 5\r\n\r\n`);
  t.equal(render(twice, [], true), `${START}Host: host\r\nTransfer-Encoding: chunked\r\n\r\n`);
  t.end();
});

t.test('fields that would say something else on an HTTP/1 connection are not written', t => {
  const bad = [
    'connection',
    'close',
    'transfer-encoding',
    'chunked',
    'host',
    'b',
    'content-length',
    '5',
    'a b',
    '1',
    'x',
    'a\r\nb: c',
    'upgrade',
    'x',
    'ok',
    '1',
  ];
  t.equal(render(new Fields(bad)), `${START}host: host\r\nok: 1\r\n\r\n`);
  t.equal(trailerSection(bad), 'ok: 1\r\n\r\n');
  t.end();
});

t.test('TE needs its option of Connection', t => {
  t.equal(render(new Fields(['te', 'trailers'])), `${START}host: host\r\nte: trailers\r\nConnection: TE\r\n\r\n`);
  t.end();
});

t.test('the announced length is one number or nothing', t => {
  t.equal(announcedLength(['date', 'x', 'content-length', '12']), 12);
  t.equal(announcedLength(['date', 'x']), NO_LENGTH);
  for (const volatile of [
    ['content-length', '1', 'content-length', '1'],
    ['content-length', '1, 1'],
    ['content-length', ''],
    ['date', 'a\r\nb'],
    ['b3', '\0'],
  ]) {
    t.equal(announcedLength(volatile), BAD_FIELDS);
  }
  t.end();
});

t.test('a request line can not be broken out of', t => {
  t.equal(isWritableTarget('GET', '/a?b', 'a:80'), true);
  t.equal(isWritableTarget('OPTIONS', '*', ''), true);
  for (const [method, path, authority] of [
    ['G T', '/', 'a'],
    ['GET', '/ HTTP/1.1\r\nX: y', 'a'],
    ['GET', '', 'a'],
    ['GET', '/', 'a\r\nX: y'],
    ['GET', '/', 'a b'],
  ] as const) {
    t.equal(isWritableTarget(method, path, authority), false);
  }
  t.end();
});
