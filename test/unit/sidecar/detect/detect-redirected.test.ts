import * as fc from 'fast-check';
import t from 'tap';
import { detectRedirected } from '../../../../sidecar/detect/detect-redirected.ts';

const detect = (text: string) => detectRedirected(Buffer.from(text, 'latin1'));

t.test('HTTP is told from everything else', t => {
  const told = {
    http1: [
      'GET /',
      'POST http://web/ HTTP/1.1\r\n',
      'OPTIONS * HTTP/1.1\r\n',
      'PURGE /cache HTTP/1.1\r\n',
      'CONNECT web:80 HTTP/1.1\r\n',
      'GET / HTTP/1.0\n',
    ],
    http2: ['PRI * HTTP/2.0\r\n\r\n'],
    tcp: [
      '\x16\x03\x01\x00\x00',
      '\x16GET /',
      '*1\r\n$4\r\nPING\r\n',
      'PING\r\n',
      'SET key value\r\n',
      '\x00\x00\x00\x08\x04\xd2\x16\x2f',
      '\x80\x01\x00\x01',
      'CONNECT {"verbose":false}\r\n',
      'GET',
    ].slice(0, -1),
  };
  for (const [protocol, starts] of Object.entries(told))
    for (const start of starts) t.equal(detect(start), protocol, JSON.stringify(start));
  for (const start of [
    'G',
    'GET',
    'GET ',
    'PURGE /cache HTTP/1.1',
    'PURGE /cache HTTP/1.1\r',
    'CONNECT web:80',
    'PRI * HTT',
    '\x16\x03\x01\x02\x00\x01',
  ])
    t.equal(detect(start), undefined, `${JSON.stringify(start)} can still become either`);
  t.end();
});

t.test('the look has an end', t => {
  t.equal(detect(`PURGE ${'a'.repeat(2_000)}`), 'tcp');
  t.equal(detect('a'.repeat(33)), 'tcp');
  t.equal(detect(`GET /${'a'.repeat(2_000)}`), 'http1');
  t.end();
});

t.test('however it is cut, the verdict is the same', t => {
  const starts = fc.oneof(
    fc.constantFrom(
      'GET / HTTP/1.1\r\nhost: a\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM',
      'PROPFIND /x HTTP/1.1\r\n',
      'PING\r\n',
    ),
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map(bytes => Buffer.from(bytes).toString('latin1')),
  );
  fc.assert(
    fc.property(starts, start => {
      const whole = detect(start);
      for (let size = 1; size < start.length; size++) {
        const part = detect(start.slice(0, size));
        t.ok(part === undefined || part === whole);
      }
    }),
    { numRuns: 300 },
  );
  t.end();
});
