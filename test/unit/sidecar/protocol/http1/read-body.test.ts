import fc from 'fast-check';
import t from 'tap';
import type { FieldList } from '../../../../../sidecar/protocol/head.ts';
import { WINDOW_BYTES } from '../../../../../sidecar/protocol/http1/limits.ts';
import { BodyReader } from '../../../../../sidecar/protocol/http1/read-body.ts';

class Account {
  held = 0;
  readonly roomToGrow = true;
  hold(bytes: number): void {
    this.held += bytes;
  }
  release(bytes: number): void {
    this.held -= bytes;
  }
}

/** Reads `parts` one after the other and tells what came out of it. */
const readAll = (kind: 'length' | 'chunked' | 'close', length: number, parts: readonly string[], consume = true) => {
  const account = new Account();
  const reader = new BodyReader(account);
  const result = {
    body: '',
    ended: false,
    trailers: undefined as FieldList | undefined,
    left: '',
    calls: 0,
    fault: '',
    account,
    reader,
  };
  reader.begin(kind, length, {
    bodyData(chunk, end) {
      if (result.ended) throw new Error('data after the end');
      result.body += chunk.toString('latin1');
      result.calls++;
      result.ended = end;
      if (consume) reader.consumed(chunk.length);
    },
    bodyTrailers(trailers) {
      result.trailers = trailers;
      result.ended = true;
    },
  });
  let rest = '';
  for (const part of parts) {
    const chunk = Buffer.from(rest + part, 'latin1');
    let at = 0;
    while (at < chunk.length && reader.ready && reader.state !== 'over' && reader.state !== 'fault')
      at = reader.read(chunk, at);
    rest = chunk.toString('latin1', at);
  }
  result.left = rest;
  if (reader.state === 'fault') result.fault = reader.fault;
  return result;
};

t.test('a body of known length', t => {
  t.match(readAll('length', 5, ['hello']), { body: 'hello', ended: true, left: '', calls: 1 });
  t.match(readAll('length', 5, ['he', 'l', 'loGET /']), { body: 'hello', ended: true, left: 'GET /' });
  t.match(readAll('length', 5, ['hell']), { body: 'hell', ended: false });
  t.end();
});

t.test('a body that ends with the connection', t => {
  const result = readAll('close', 0, ['a', 'b']);
  t.match(result, { body: 'ab', ended: false });
  t.equal(result.reader.end(), true);
  t.equal(result.ended, true);
  const cut = readAll('length', 3, ['ab']);
  t.equal(cut.reader.end(), false);
  t.equal(cut.ended, false, 'a short body is never whole');
  t.end();
});

t.test('chunks', t => {
  t.match(
    readAll('chunked', 0, ['5\r\nhello\r\n0\r\n\r\nGET']),
    { body: 'hello', ended: true, left: 'GET', calls: 1 },
    'in one piece',
  );
  t.match(readAll('chunked', 0, ['0\r\n\r\n']), { body: '', ended: true });
  t.match(
    readAll('chunked', 0, ['1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n']),
    { body: 'abc', ended: true, calls: 1 },
    'tiny chunks are joined',
  );
  t.match(readAll('chunked', 0, ['A\r\n0123456789\r\n00\r\n\r\n']), { body: '0123456789', ended: true });
  t.match(
    readAll('chunked', 0, ['5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n']),
    { body: 'hello', ended: true },
    'extensions are read over',
  );
  t.match(readAll('chunked', 0, ['2000\r\n', 'x'.repeat(0x2000), '\r\n1\r\ny\r\n0\r\n\r\n']), {
    ended: true,
    body: `${'x'.repeat(0x2000)}y`,
  });
  t.match(readAll('chunked', 0, [`3\r\nabc\r\n1400\r\n${'x'.repeat(0x1400)}\r\n0\r\n\r\n`]), {
    ended: true,
    body: `abc${'x'.repeat(0x1400)}`,
  });
  t.end();
});

t.test('trailers', t => {
  t.same(readAll('chunked', 0, ['1\r\na\r\n0\r\nX-Sum: 1\r\nY:2\r\n\r\nrest']).trailers, ['x-sum', '1', 'y', '2']);
  t.match(readAll('chunked', 0, ['0\r\nX: 1\r\n\r\nrest']), { left: 'rest', ended: true });
  const harmless = readAll('chunked', 0, [
    '0\r\nContent-Length: 5\r\nHost: b\r\nTransfer-Encoding: chunked\r\nConnection: x\r\n\r\n',
  ]);
  t.match(harmless, { ended: true, trailers: undefined, fault: '' }, 'what frames or addresses is dropped');
  t.end();
});

for (const [name, text, fault = 'bad_chunk'] of [
  ['no size', '\r\nhello'],
  ['a size that is not hexadecimal', 'g\r\n'],
  ['a prefix 0x', '0x5\r\nhello\r\n'],
  ['a plus', '+5\r\nhello\r\n'],
  ['a minus', '-5\r\nhello\r\n'],
  ['white space before the size', ' 5\r\nhello\r\n'],
  ['white space after the size', '5 \r\nhello\r\n'],
  ['a comma', '5,5\r\nhello\r\n'],
  ['an underscore', '1_0\r\n'],
  ['a size over 2^53', '20000000000001\r\n'],
  ['a size over 2^64', '10000000000000005\r\nhello\r\n'],
  ['many leading zeros', `${'0'.repeat(17)}5\r\nhello\r\n`],
  ['bare LF after the size', '5\nhello\r\n'],
  ['bare CR after the size', '5\rhello\r\n'],
  ['bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
  ['too much data', '5\r\nhello!\r\n0\r\n\r\n'],
  ['no line end after the data', '5\r\nhello0\r\n\r\n'],
  ['bare LF in an extension', '5;a\nb\r\nhello\r\n'],
  ['NUL in an extension', '5;a\0\r\nhello\r\n'],
  ['CR in an extension', '5;a\rb\r\nhello\r\n'],
  ['a long extension', `5;${'a'.repeat(257)}\r\n`, 'chunk_extensions_too_long'],
  ['many extensions', `1;${'a'.repeat(200)}\r\nx\r\n`.repeat(100), 'chunk_extensions_too_long'],
  ['a bare LF as end', '0\r\n\n', 'bad_trailer'],
  ['a bare CR as end', '0\r\n\rx', 'bad_trailer'],
  ['a trailer without colon', '0\r\nx\r\n\r\n', 'bad_trailer'],
  ['a folded trailer', '0\r\nx: a\r\n b\r\n\r\n', 'bad_trailer'],
  ['NUL in a trailer', '0\r\nx: a\0\r\n\r\n', 'bad_trailer'],
  ['bare LF in a trailer', '0\r\nx: a\ny: b\r\n\r\n', 'bad_trailer'],
  ['long trailers', `0\r\nx: ${'a'.repeat(16_384)}\r\n\r\n`, 'trailers_too_long'],
  ['endless trailers', `0\r\n${'x: a\r\n'.repeat(4_000)}`, 'trailers_too_long'],
  ['201 trailers', `0\r\n${'x: a\r\n'.repeat(201)}\r\n`, 'trailers_too_long'],
] as const) {
  t.test(`a chunked body with ${name} is broken, never whole`, t => {
    t.match(readAll('chunked', 0, [text]), { fault, ended: false });
    t.match(readAll('chunked', 0, text.split('')), { fault, ended: false }, 'byte by byte');
    t.end();
  });
}

t.test('a body comes out the same however its bytes are cut', t => {
  const chunked = fc
    .array(
      fc.tuple(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), fc.constantFrom('', ';a', ';b=c')),
      { maxLength: 8 },
    )
    .map(chunks => ({
      body: chunks.map(([data]) => data).join(''),
      text: `${chunks.map(([data, extension]) => `${data.length.toString(16)}${extension}\r\n${data}\r\n`).join('')}0\r\n`,
    }));
  fc.assert(
    fc.property(
      chunked,
      fc.constantFrom('', 'X: y\r\n'),
      fc.array(fc.nat(60), { maxLength: 12 }),
      ({ body, text }, trailer, cuts) => {
        const whole = `${text}${trailer}\r\nNEXT`;
        const parts: string[] = [];
        let at = 0;
        for (const cut of cuts) {
          parts.push(whole.slice(at, at + cut));
          at += cut;
        }
        parts.push(whole.slice(at));
        const result = readAll('chunked', 0, parts);
        return (
          result.ended &&
          result.body === body &&
          result.left === 'NEXT' &&
          (trailer === '') === (result.trailers === undefined)
        );
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test('no more than a window is delivered before the sink has passed it on', t => {
  const body = 'x'.repeat(WINDOW_BYTES * 2);
  for (const [kind, text] of [
    ['length', body],
    ['close', body],
    ['chunked', `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
  ] as const) {
    const result = readAll(kind, body.length, [text], false);
    t.equal(result.body.length, WINDOW_BYTES, kind);
    t.equal(result.account.held, WINDOW_BYTES);
    t.equal(result.reader.ready, false);
    result.reader.consumed(1_000);
    const chunk = Buffer.from(result.left, 'latin1');
    result.reader.read(chunk, 0);
    t.equal(result.body.length, WINDOW_BYTES + 1_000);
    result.reader.abandon();
    t.equal(result.account.held, 0, 'nothing stays on the account');
  }
  t.end();
});

t.test('a body that is abandoned in the middle of a delivery ends there', t => {
  const reader = new BodyReader(new Account());
  let calls = 0;
  reader.begin('chunked', 0, {
    bodyData() {
      calls++;
      reader.abandon();
    },
    bodyTrailers() {},
  });
  const big = 'x'.repeat(5_000);
  reader.read(Buffer.from(`1388\r\n${big}\r\n1388\r\n${big}\r\n0\r\n\r\n`), 0);
  t.equal(calls, 1);
  t.equal(reader.state, 'over');
  t.end();
});
