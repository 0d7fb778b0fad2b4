/** The table of awkward requests that every REST server answers straight and through the mesh. */
import { patternBytes } from './http-app.ts';

export interface RestCase {
  readonly name: string;
  /** Whole requests, latin1, on one connection, each after the answer to the one before. */
  readonly requests: readonly string[];
  /** What the last answer must look like, whoever serves it: `STATUS LINE\nfields\n\nbody`. */
  readonly expected?: RegExp;
}

const HOST = 'Host: shop.example';
export const get = (target: string, ...fields: string[]): string => asking('GET', target, ...fields);
const asking = (method: string, target: string, ...fields: string[]): string =>
  [`${method} ${target} HTTP/1.1`, HOST, ...fields, '', ''].join('\r\n');
const sending = (method: string, target: string, body: string, ...fields: string[]): string =>
  asking(method, target, ...fields, `Content-Length: ${body.length}`) + body;
const chunked = (method: string, target: string, chunks: readonly string[]): string =>
  asking(method, target, 'Transfer-Encoding: chunked') +
  [...chunks.map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`), '0\r\n\r\n'].join('');
/** A request with this field has its body wait for 100 Continue. */
export const EXPECTING = 'Expect: 100-continue';
const large = patternBytes(1_000_000).toString('latin1');

export const CASES: readonly RestCase[] = [
  { name: 'a request', requests: [get('/inspect')], expected: /^HTTP\/1\.1 200 .*\n\nGET \/inspect\n/s },
  {
    name: 'an upload with its length',
    requests: [sending('POST', '/inspect', large)],
    expected: /1000000 [0-9a-f]{64}/,
  },
  {
    name: 'an upload in chunks',
    requests: [chunked('PUT', '/inspect', ['a', large.slice(0, 70_000), 'b'.repeat(16), large.slice(0, 5)])],
    expected: /70022 [0-9a-f]{64}/,
  },
  {
    name: 'an upload that waits for 100 Continue',
    requests: [sending('POST', '/inspect', 'hello', EXPECTING)],
    expected: /5 2cf24dba/,
  },
  { name: 'an upload without a byte', requests: [sending('POST', '/inspect', '')], expected: /0 e3b0c442/ },
  { name: 'PATCH and DELETE', requests: [sending('PATCH', '/inspect', 'x'), asking('DELETE', '/inspect')] },
  { name: 'a download', requests: [get('/download?n=300000')], expected: /^HTTP\/1\.1 200 / },
  { name: 'a download in chunks', requests: [get('/download?n=100000&chunked')], expected: /^HTTP\/1\.1 200 / },
  {
    name: 'gzip, where it is taken',
    requests: [get('/gzip', 'Accept-Encoding: br, gzip')],
    expected: /ncoding: gzip/i,
  },
  { name: 'and nowhere else', requests: [get('/gzip', 'Accept-Encoding: identity')], expected: /the same line again/ },
  { name: 'a range', requests: [get('/file', 'Range: bytes=10-19')], expected: /^HTTP\/1\.1 206 .*\n\n.{10}$/s },
  { name: 'the last bytes', requests: [get('/file', 'Range: bytes=-5')], expected: /^HTTP\/1\.1 206 / },
  { name: 'a range past the end', requests: [get('/file', 'Range: bytes=99999-')], expected: /^HTTP\/1\.1 416 / },
  { name: 'the whole file', requests: [get('/file')], expected: /accept-ranges: bytes|content-length: 1000/i },
  { name: 'three cookies', requests: [get('/cookies')], expected: /(set-cookie: .*){3}/is },
  {
    name: 'cookies sent',
    requests: [get('/inspect', 'Cookie: a=1; b="x y"', 'Accept: */*')],
    expected: /cookie: a=1; b="x y"/,
  },
  {
    name: 'a CORS preflight',
    requests: [
      asking(
        'OPTIONS',
        '/cors',
        'Origin: https://app.example',
        'Access-Control-Request-Method: PUT',
        'Access-Control-Request-Headers: content-type, x-token',
      ),
    ],
    expected: /allow-headers: content-type, x-token/i,
  },
  {
    name: 'a redirect to its own host',
    requests: [get('/redirect/absolute')],
    expected: /^HTTP\/1\.1 302 .*location: http:\/\/shop\.example\/inspect/is,
  },
  {
    name: 'a redirect elsewhere',
    requests: [get('/redirect/away')],
    expected: /location: https:\/\/elsewhere\.example:8443\/x\?y#z/i,
  },
  { name: 'a relative redirect', requests: [get('/redirect/relative')], expected: /location: \.\.\/inspect/i },
  { name: 'HEAD', requests: [asking('HEAD', '/download?n=1000'), get('/inspect')], expected: /GET \/inspect/ },
  { name: '204', requests: [get('/status/204'), get('/inspect')], expected: /GET \/inspect/ },
  { name: '304', requests: [get('/status/304', 'If-None-Match: "x"'), get('/inspect')], expected: /GET \/inspect/ },
  { name: 'an empty body', requests: [get('/empty'), get('/inspect')], expected: /GET \/inspect/ },
  { name: '404 of a path', requests: [get('/status/404')], expected: /^HTTP\/1\.1 404 .*status 404$/s },
  { name: '418', requests: [get('/status/418')], expected: /^HTTP\/1\.1 418 / },
  {
    name: '500 and 503 of the app',
    requests: [get('/status/500'), sending('POST', '/status/503', 'x')],
    expected: /^HTTP\/1\.1 503 /,
  },
  { name: 'a path that is not there', requests: [get('/nowhere')], expected: /^HTTP\/1\.1 404 / },
  {
    name: 'a large request head',
    requests: [
      get('/inspect', `X-Large: ${'x'.repeat(6_000)}`, ...Array.from({ length: 40 }, (_, i) => `X-${i}: ${i}`)),
    ],
    expected: /x{6000}/,
  },
  { name: 'a large answer head', requests: [get('/large-headers')], expected: /3{3000}/ },
  { name: 'an escaped slash', requests: [get('/inspect/a%2Fb')], expected: /GET \/inspect\/a%2Fb\n/ },
  { name: 'escapes', requests: [get('/inspect/%C3%A9%20%22%3C%3E%7C%25')], expected: /\/%C3%A9%20%22%3C%3E%7C%25\n/ },
  {
    name: 'signs in a path',
    requests: [get("/inspect/a;v=1,2/@:!$&'()*+=~-._")],
    expected: /\/a;v=1,2\/@:!\$&'\(\)\*\+=~-\._\n/,
  },
  {
    name: 'a query',
    requests: [get('/inspect?a=b&a=&=c&&d&e=%2f+%20&f=/?@:;,')],
    expected: /\?a=b&a=&=c&&d&e=%2f\+%20&f=\/\?@:;,\n/,
  },
  { name: 'an empty query', requests: [get('/inspect?')], expected: /GET \/inspect\?\n/ },
  {
    name: 'signs in a query that should have been escaped',
    requests: [get('/inspect?q={a}|b^[c]`"<>\\&%=100%&%zz=%')],
  },
  { name: 'raw UTF-8 in a query', requests: [get(`/inspect?q=${Buffer.from('é€').toString('latin1')}`)] },
  {
    name: 'an escaped NUL and line end in a query',
    requests: [get('/inspect?x=%00%0D%0A')],
    expected: /\?x=%00%0D%0A\n/,
  },
  {
    name: 'ten requests on one connection',
    requests: Array.from({ length: 10 }, (_, i) => get(`/inspect?i=${i}`)),
    expected: /\?i=9/,
  },
];
