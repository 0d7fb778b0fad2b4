import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { RequestHead, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { RequestBuilder } from '../../../../../sidecar/protocol/http2/build-request.ts';
import { ResponseBuilder } from '../../../../../sidecar/protocol/http2/build-response.ts';
import { type HeadProblem, HeadReader, readTrailers } from '../../../../../sidecar/protocol/http2/decode-head.ts';
import {
  encodeVolatile,
  requestBlock,
  responseBlock,
  volatileBytes,
} from '../../../../../sidecar/protocol/http2/encode-head.ts';
import { HpackDecoder } from '../../../../../sidecar/protocol/http2/hpack/decoder.ts';
import { encodeFields } from '../../../../../sidecar/protocol/http2/hpack/encoder.ts';
import { GET } from './wire.ts';

const newDecoder = (): HpackDecoder => new HpackDecoder({ maxTableBytes: 4_096, maxListBytes: 65_536, maxFields: 200 });
const requests = (trusted = false) => new HeadReader<RequestHead>(newDecoder(), new RequestBuilder(trusted));
const responses = (trusted = false) => new HeadReader<ResponseHead>(newDecoder(), new ResponseBuilder(trusted));
const tailOf = (list: readonly string[]): Buffer => {
  const out = Buffer.alloc(volatileBytes(list));
  return out.subarray(0, encodeVolatile(out, 0, list));
};
const read = (reader: { read(block: Buffer, start: number, end: number): HeadProblem | undefined }, bytes: Buffer) =>
  reader.read(bytes, 0, bytes.length);
/** Fields that enter the table, literally. */
const inserting = (list: readonly string[]): Buffer => {
  const parts: Buffer[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const [name = '', value = ''] = [list[i], list[i + 1]];
    parts.push(
      Buffer.from([0x40, name.length]),
      Buffer.from(name, 'latin1'),
      Buffer.from([value.length]),
      Buffer.from(value, 'latin1'),
    );
  }
  return Buffer.concat(parts);
};

t.test('the same bytes are the same head from the second time on, whatever the volatile fields', t => {
  const reader = requests();
  const prefix = encodeFields([...GET, 'user-agent', 'x']);
  const heads = ['1', '2', '3', '4'].map(id => {
    t.equal(read(reader, Buffer.concat([prefix, tailOf(['x-request-id', id])])), undefined);
    t.same(reader.volatile, ['x-request-id', id]);
    return reader.head;
  });
  t.equal(heads[2], heads[3]);
  t.equal(heads[0]?.fields, heads[3]?.fields, 'their fields are the same from the first');
  t.end();
});

t.test('a client that gives each request a new traceparent in the table gets the same head', t => {
  const reader = requests();
  const heads = ['a', 'b', 'c'].map(id => {
    t.equal(read(reader, Buffer.concat([encodeFields(GET), inserting(['traceparent', id, 'x', 'y'])])), undefined);
    t.same(reader.volatile, ['traceparent', id]);
    return reader.head;
  });
  t.equal(heads[0], heads[1]);
  t.equal(heads[1], heads[2]);
  t.end();
});

t.test('a new path shares the fields; a path that comes back shares the head', t => {
  const reader = requests();
  const heads = ['/1', '/2', '/3', '/2', '/2', '/2'].map(path => {
    read(
      reader,
      Buffer.concat([encodeFields([':method', 'GET', ':scheme', 'http']), inserting([':path', path, 'x', 'y'])]),
    );
    t.equal(reader.head?.path, path);
    return reader.head;
  });
  t.ok(heads.every(head => head?.fields === heads[0]?.fields));
  t.equal(heads[4], heads[5]);
  t.end();
});

t.test('a list that only looks like one before goes through all checks', t => {
  const reader = requests();
  const like = (path: string, length: string, id: string) =>
    read(
      reader,
      inserting([':method', 'GET', ':scheme', 'http', ':path', path, 'content-length', length, 'x-request-id', id]),
    );
  t.equal(like('/', '1', 'a'), undefined);
  t.equal(like('/', '2', 'b'), undefined);
  t.same(reader.volatile, ['content-length', '2', 'x-request-id', 'b']);
  t.match(like('no path', '1', 'a'), { kind: 'malformed', detail: 'path' });
  t.match(like('*', '1', 'a'), { kind: 'malformed', detail: 'path' });
  t.match(like('/', '-1', 'a'), { kind: 'malformed', detail: 'content_length' });
  t.match(like('/', '1', 'a\r\nb'), { kind: 'malformed', detail: 'field_value' });
  t.end();
});

t.test('content-length may stand before the tail, in it, and in both only with one value', t => {
  for (const [stable, tail, ok] of [
    ['5', undefined, true],
    [undefined, '5', true],
    ['5', '5', true],
    ['5', '6', false],
    [undefined, '5x', false],
    ['+5', undefined, false],
    ['', undefined, false],
    ['1234567890123456', undefined, false],
  ] as const) {
    const reader = requests();
    const bytes = Buffer.concat([
      encodeFields([...GET, ...(stable === undefined ? [] : ['content-length', stable])]),
      tailOf(tail === undefined ? [] : ['content-length', tail]),
    ]);
    for (const round of ['first', 'again', 'third']) {
      const problem = read(reader, bytes);
      t.equal(problem?.detail, ok ? undefined : 'content_length', `${stable} ${tail} ${round}`);
      if (ok) t.same(reader.volatile, ['content-length', '5'], 'once');
    }
  }
  t.end();
});

t.test('what stands behind the first never-indexed field is read like the rest when it is not volatile', t => {
  const reader = requests();
  const bytes = Buffer.concat([
    encodeFields(GET),
    tailOf(['authorization', 'secret', 'traceparent', 't']),
    inserting(['n', 'v']),
  ]);
  for (const round of ['first', 'again', 'third']) {
    t.equal(read(reader, bytes), undefined);
    t.same(reader.head?.fields.list, ['authorization', 'secret', 'n', 'v'], round);
    t.same(reader.volatile, ['traceparent', 't'], round);
  }
  // Every round has made one entry, not two: index 64 is the oldest of three.
  t.equal(read(reader, Buffer.concat([encodeFields(GET), Buffer.from([0xc0])])), undefined);
  t.equal(read(reader, Buffer.concat([encodeFields(GET), Buffer.from([0xc1])]))?.kind, 'compression');
  t.end();
});

t.test('a head whose every field is never-indexed is read', t => {
  const reader = requests();
  const bytes = tailOf([':method', 'GET', ':scheme', 'http', ':path', '/x', 'a', 'b']);
  t.equal(read(reader, bytes), undefined);
  t.match(reader.head, { method: 'GET', path: '/x' });
  t.end();
});

t.test('reserved names of an app are dropped wherever they stand, and taken from a sidecar', t => {
  const spoof = ['outrider-timeout-ms', '1', 'outrider-attempt', '9', 'x-outrider-detail', 'd'];
  const more = [
    'outrider-to',
    'a.b',
    'outrider-port',
    '99',
    'x-outrider-peer',
    'p',
    'x-forwarded-client-cert',
    'c',
    'outrider-h1',
    '1.1;',
  ];
  const app = requests(false);
  for (let round = 0; round < 3; round++) {
    for (const bytes of [
      Buffer.concat([encodeFields([...GET, ...more]), tailOf(spoof)]),
      encodeFields([...GET, ...spoof, ...more]),
      inserting([...GET, ...spoof, ...more, 'traceparent', String(round)]),
    ]) {
      t.equal(read(app, bytes), undefined);
      t.same(app.head?.fields.list, []);
      t.equal(app.head?.fields.http1Shape, '');
      t.equal(app.head?.link, undefined);
      t.same(
        app.volatile.filter(name => name.includes('outrider')),
        [],
      );
    }
  }
  const link = requests(true);
  read(link, Buffer.concat([encodeFields([...GET, ...more]), tailOf(spoof)]));
  t.match(link.head?.link, { to: 'a.b', port: 99 });
  t.equal(link.head?.fields.http1Shape, '1.1;');
  t.same(
    link.volatile,
    ['outrider-timeout-ms', '1', 'outrider-attempt', '9'],
    'and x-outrider-detail is no field of a request',
  );
  t.end();
});

t.test('the rules for pseudo-header fields', t => {
  const line = { m: [':method', 'GET'], s: [':scheme', 'http'], p: [':path', '/'], a: [':authority', 'a'] };
  const cases: readonly [string, readonly string[], string][] = [
    ['no method', [...line.s, ...line.p], 'method'],
    ['a method that is no token', [':method', 'G T', ...line.s, ...line.p], 'method'],
    ['no scheme', [...line.m, ...line.p], 'scheme'],
    ['another scheme', [...line.m, ':scheme', 'ftp', ...line.p], 'scheme'],
    ['no path', [...line.m, ...line.s], 'path'],
    ['an empty path', [...line.m, ...line.s, ':path', ''], 'path'],
    ['a path without a slash', [...line.m, ...line.s, ':path', 'x'], 'path'],
    ['a path with a space', [...line.m, ...line.s, ':path', '/a b'], 'path'],
    ['a path with a fragment', [...line.m, ...line.s, ':path', '/a#b'], 'path'],
    ['an asterisk for GET', [...line.m, ...line.s, ':path', '*'], 'path'],
    ['a path with CR', [...line.m, ...line.s, ':path', '/\rx'], 'path'],
    ['the same twice', [...line.m, ...line.m, ...line.s, ...line.p], 'pseudo_field'],
    ['an unknown one', [...line.m, ...line.s, ...line.p, ':x', 'y'], 'pseudo_field'],
    ['one of a response', [':status', '200'], 'pseudo_field'],
    ['one behind a field', [...line.m, ...line.s, 'x', 'y', ...line.p], 'field_name'],
    ['user information', [...line.m, ...line.s, ...line.p, ':authority', 'u@a'], 'authority'],
    ['two hosts in one', [...line.m, ...line.s, ...line.p, ':authority', 'a,b'], 'authority'],
    ['an authority with a space', [...line.m, ...line.s, ...line.p, ':authority', 'a b'], 'authority'],
    ['a Host that says otherwise', [...line.m, ...line.s, ...line.p, ...line.a, 'host', 'b'], 'host_mismatch'],
    ['two Hosts', [...line.m, ...line.s, ...line.p, 'host', 'a', 'host', 'a'], 'host_field'],
    ['CONNECT without an authority', [':method', 'CONNECT'], 'connect_pseudo'],
    ['CONNECT with a path', [':method', 'CONNECT', ...line.a, ...line.p], 'connect_pseudo'],
    ['CONNECT with a scheme', [':method', 'CONNECT', ...line.a, ...line.s], 'connect_pseudo'],
    [':protocol without CONNECT', [...line.m, ...line.s, ...line.p, ':protocol', 'x'], 'protocol_pseudo'],
    ['an empty :protocol', [':method', 'CONNECT', ...line.s, ...line.p, ':protocol', ''], 'protocol_pseudo'],
  ];
  for (const [name, list, detail] of cases)
    t.match(read(requests(), encodeFields(list)), { kind: 'malformed', detail }, name);
  for (const [name, list] of [
    ['OPTIONS *', [':method', 'OPTIONS', ...line.s, ':path', '*']],
    ['no authority', [...line.m, ...line.s, ...line.p]],
    ['Host alone', [...line.m, ...line.s, ...line.p, 'host', 'a']],
    ['an IPv6 authority', [...line.m, ...line.s, ...line.p, ':authority', '[::1]:80']],
    ['a path in UTF-8', [...line.m, ...line.s, ':path', '/\xc3\xa4']],
  ] as const) {
    t.equal(read(requests(), encodeFields(list)), undefined, name);
  }
  t.end();
});

t.test('fields that HTTP/1 could read in two ways are refused', t => {
  for (const [name, value, detail] of [
    ['Upper', 'x', 'field_name'],
    ['', 'x', 'field_name'],
    ['a b', 'x', 'field_name'],
    ['a:', 'x', 'field_name'],
    ['a\r\nb', 'x', 'field_name'],
    ['x', 'a\rb', 'field_value'],
    ['x', 'a\nb', 'field_value'],
    ['x', 'a\0b', 'field_value'],
    ['x', 'a\x7fb', 'field_value'],
    ['x', ' a', 'field_value'],
    ['x', 'a\t', 'field_value'],
    ['connection', 'close', 'connection_field'],
    ['transfer-encoding', 'chunked', 'connection_field'],
    ['upgrade', 'websocket', 'connection_field'],
    ['keep-alive', '1', 'connection_field'],
    ['proxy-connection', '1', 'connection_field'],
    ['te', 'gzip', 'te_field'],
  ] as const) {
    t.match(
      read(requests(), encodeFields([...GET, name, value])),
      { kind: 'malformed', detail },
      JSON.stringify([name, value]),
    );
    t.match(
      read(requests(), Buffer.concat([encodeFields(GET), tailOf([name, value])])),
      { detail },
      'never-indexed too',
    );
    t.match(read(responses(), encodeFields([':status', '200', name, value])), { detail });
    const bytes = encodeFields([name, value]);
    t.match(readTrailers(newDecoder(), bytes, 0, bytes.length, false), { detail });
  }
  t.end();
});

t.test('cookie crumbs are put together', t => {
  const reader = requests();
  read(reader, encodeFields([...GET, 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2']));
  t.same(reader.head?.fields.list, ['x', 'y', 'cookie', 'a=1; b=2']);
  t.end();
});

t.test('heads go over the link and come out as they went in', t => {
  const token = fc
    .stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
    .filter(
      name => !/^(x-)?outrider-|^te$|^host$|^cookie$|^upgrade$|^connection$|^content-length$|^keep-alive$/.test(name),
    );
  const value = fc.stringMatching(/^[!-~\xa1-\xff]{0,30}$/);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(token, value), { maxLength: 10 }),
      fc.stringMatching(/^\/[a-z0-9/?=&]{0,40}$/),
      fc.array(value, { maxLength: 4 }),
      (fields, path, ids) => {
        const reader = requests(true);
        const first = requests(true);
        read(
          first,
          encodeFields([
            ':method',
            'PUT',
            ':scheme',
            'https',
            ':path',
            path,
            ':authority',
            'a',
            ...fields.flat(),
            'outrider-to',
            'a.b',
            'outrider-port',
            '80',
          ]),
        );
        const head = first.head as RequestHead;
        for (const id of ids) {
          const problem = read(reader, Buffer.concat([requestBlock(head), tailOf(['x-request-id', id])]));
          if (problem !== undefined) throw new Error(problem.detail);
          const { method, scheme, authority, fields: got, link } = reader.head as RequestHead;
          t.same([method, scheme, authority, reader.head?.path], ['PUT', 'https', 'a', path]);
          t.same(got.list, head.fields.list);
          t.match(link, { to: 'a.b', port: 80 });
          t.same(reader.volatile, [...first.volatile, 'x-request-id', id].slice(first.volatile.length === 0 ? 0 : -2));
        }
        const answers = responses(true);
        const source = responses(true);
        read(source, encodeFields([':status', '404', ...fields.flat()]));
        const answer = source.head as ResponseHead;
        t.equal(read(answers, responseBlock(answer, true)), undefined);
        t.same(answers.head?.fields.list, answer.fields.list);
      },
    ),
    { numRuns: 60 },
  );
  t.end();
});

const noTwoReadings = (t: Test): void => {
  const reader = responses();
  for (const status of ['', '2', '20', '2000', '0200', '600', '099', 'abc', '2 0', '-20'])
    t.match(read(reader, encodeFields([':status', status])), { detail: 'status' }, status);
  t.match(read(reader, encodeFields(['x', 'y'])), { detail: 'status' });
  t.match(read(reader, encodeFields([':status', '200', ':status', '200'])), { detail: 'field_name' });
  t.end();
};
t.test('a response has one status of three digits', noTwoReadings);

t.test('more prefixes than are kept push each other out, and nothing breaks', t => {
  const reader = requests();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 700; i++) {
      t.equal(read(reader, encodeFields([...GET, 'x', String(i)])), undefined);
      if (reader.head?.fields.list[1] !== String(i)) t.fail('the wrong head');
    }
  }
  t.end();
});

t.test('an answer whose volatile fields come again gives the same list; other bytes and a changed table do not', t => {
  const reader = responses();
  const prefix = encodeFields([':status', '200', 'server', 'x']);
  const answer = (date: string): readonly string[] => {
    t.equal(read(reader, Buffer.concat([prefix, tailOf(['date', date, 'content-length', '5'])])), undefined);
    t.same(reader.volatile, ['date', date, 'content-length', '5']);
    t.equal(reader.head?.status, 200);
    return reader.volatile;
  };
  for (let i = 0; i < 3; i++) answer('now');
  t.equal(answer('now'), answer('now'));
  const later = answer('1 s on');
  t.not(answer('1 s on'), later, 'kept from the second time on');
  t.equal(answer('1 s on'), answer('1 s on'));
  t.not(answer('now'), answer('now'));
  const kept = answer('now');
  read(reader, Buffer.concat([encodeFields([':status', '204']), inserting(['a', 'b'])]));
  t.not(answer('now'), kept, 'the table has changed');
  t.end();
});

t.test('what is wrong with a tail is found each time that it comes', t => {
  const reader = responses();
  const prefix = encodeFields([':status', '200']);
  for (let i = 0; i < 4; i++) {
    t.match(read(reader, Buffer.concat([prefix, tailOf(['content-length', '5', 'content-length', '6'])])), {
      kind: 'malformed',
      detail: 'content_length',
    });
    t.match(read(reader, Buffer.concat([prefix, tailOf(['date', 'x']), Buffer.from([0x80])])), {
      kind: 'compression',
      detail: 'index_zero',
    });
  }
  t.end();
});

t.test('requests have their own volatile fields each time', t => {
  const reader = requests();
  const block = Buffer.concat([encodeFields(GET), tailOf(['x-request-id', 'the same'])]);
  const lists = Array.from({ length: 5 }, () => {
    read(reader, block);
    return reader.volatile;
  });
  t.equal(new Set(lists).size, 5);
  t.end();
});
