/** Hostile HTTP/1 from clients and from apps, through a pair of sidecars, judged by the bytes that come out at the other end. */
import t from 'tap';
import { RawConnection } from '../support/raw-http1.ts';
import { startStage } from './attacks/stage.ts';

const stage = await startStage();
const { app, pair } = stage;

/** What follows an attack on its connection: if it came through as a request, the attack was read in two ways. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n';
const HOST = 'Host: app\r\n';
const get = (fields: string): string => `GET /attack HTTP/1.1\r\n${HOST}${fields}\r\n`;
const post = (fields: string, body: string): string => `POST /attack HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

/** Name, bytes, status. */
const REFUSED: readonly (readonly [string, string, number])[] = [
  ['CL and TE', post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['TE and CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\n'), 400],
  ['TE twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', '0\r\n\r\n'), 400],
  ['chunked twice', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'), 400],
  ['chunked, not last', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'), 400],
  ['a coding that nobody knows', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'), 501],
  ['a vertical tab before chunked', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'), 400],
  ['TE in HTTP/1.0', `POST /attack HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['two CLs', post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'), 400],
  ['the same CL twice', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'), 400],
  ['a list of CLs', post('Content-Length: 5, 5\r\n', 'hello'), 400],
  ...['+5', '-5', '0x5', '5 5', '5.0', '', '99999999999999999999'].map(
    length => [`CL ${JSON.stringify(length)}`, post(`Content-Length: ${length}\r\n`, 'hello'), 400] as const,
  ),
  ['CL named by Connection', post('Connection: content-length\r\nContent-Length: x\r\n', 'hello'), 400],
  ...['0x5', '+5', '-5', ' 5', '5 ', '5,', 'g', '', '10000000000000005'].map(
    size => [`chunk size ${JSON.stringify(size)}`, chunked(`${size}\r\nhello\r\n0\r\n\r\n`), 400] as const,
  ),
  ['a chunk longer than its size', chunked('3\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size that ends with LF', chunked('5\nhello\r\n0\r\n\r\n'), 400],
  ['chunk data that end with LF', chunked('5\r\nhello\n0\r\n\r\n'), 400],
  ['a CR in a chunk extension', chunked('5;a\rb\r\nhello\r\n0\r\n\r\n'), 400],
  ['an LF in a chunk extension', chunked('5;a\nhello\r\n0\r\n\r\n'), 400],
  ['a NUL in a chunk extension', chunked('5;a\0\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk extension of 300 bytes', chunked(`5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`), 400],
  ['a trailer section of 20 kB', chunked(`0\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`), 400],
  ['a trailer with a space before its colon', chunked('0\r\nX : y\r\n\r\n'), 400],
  ['bare LF after the request line', `GET /attack HTTP/1.1\n${HOST}\r\n`, 400],
  ['bare LF after a field', get('A: b\nC: d\r\n'), 400],
  ['bare LFs everywhere', 'GET /attack HTTP/1.1\nHost: app\n\n', 400],
  ['bare CR in a value', get('A: b\rC: d\r\n'), 400],
  ['bare CR in a name', get('A\rB: c\r\n'), 400],
  ['bare CR in the request line', `GET /attack\rHTTP/1.1\r\n${HOST}\r\n`, 400],
  ['NUL in a value', get('A: b\0c\r\n'), 400],
  ['NUL in the target', `GET /attack\0 HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['obs-fold', get('A: b\r\n c\r\n'), 400],
  ['a folded first field', `GET /attack HTTP/1.1\r\n ${HOST}\r\n`, 400],
  ['a folded Transfer-Encoding', post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'), 400],
  ['a space before a colon', get('A : b\r\n'), 400],
  ['a tab before the colon of a CL', post('Content-Length\t: 5\r\n', 'hello'), 400],
  ['two spaces in the request line', `GET  /attack HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a space in the target', `GET /attack x HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a tab in the request line', `GET\t/attack HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a space before the method', ` GET /attack HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a space after the version', `GET /attack HTTP/1.1 \r\n${HOST}\r\n`, 400],
  ['no version', 'GET /attack\r\n\r\n', 400],
  ['another version', `GET /attack HTTP/1.2\r\n${HOST}\r\n`, 400],
  ['a character in a method', `G(T /attack HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a character in a name', get('A{B: c\r\n'), 400],
  ['a byte above ASCII in a name', get('A\xffB: c\r\n'), 400],
  ['no name', get(': c\r\n'), 400],
  ['DEL in a value', get('A: b\x7f\r\n'), 400],
  ['no colon', get('A\r\n'), 400],
  ['a fragment in the target', `GET /attack#x HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['two Hosts', get('Host: other\r\n'), 400],
  ['a Host with user information', 'GET /attack HTTP/1.1\r\nHost: me@app\r\n\r\n', 400],
  ['no Host', 'GET /attack HTTP/1.1\r\n\r\n', 400],
  ['a target of 20 kB', `GET /attack${'a'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 414],
  ['a method of 20 kB', `${'A'.repeat(20_000)} /attack HTTP/1.1\r\n${HOST}\r\n`, 414],
  ['a value of 100 kB', get(`A: ${'a'.repeat(100_000)}\r\n`), 431],
  ['a name of 100 kB', get(`${'a'.repeat(100_000)}: b\r\n`), 431],
  ['201 fields', get('A: b\r\n'.repeat(200)), 431],
];

t.test(
  'CL+TE, TE+TE, several CLs, odd chunk sizes and extensions, bare LF, bare CR, NUL, obs-fold, space before colon, whitespace in the request line, invalid characters in names and values, over-long anything',
  async t => {
    await stage.othersAreServed(t);
    for (const [name, bytes, status] of REFUSED) {
      app.received = '';
      await using connection = new RawConnection(pair.outbound);
      connection.write(bytes + SMUGGLED);
      const text = await connection.untilClosed();
      t.ok(text.startsWith(`HTTP/1.1 ${status} `), `${name}: ${text.slice(0, 12)}`);
      t.ok(connection.closed && text.lastIndexOf('HTTP/1.1 ') === 0, `${name}: one answer, and the connection ends`);
      const isBody = /chunk|trailer/.test(name) && !/twice|not last|coding|before chunked/.test(name);
      // A body is passed on as it comes: it must never be complete.
      if (isBody) t.notMatch(app.received, /0\r\n\r\n|smuggled/, `${name}: never a whole request`);
      else t.equal(app.received, '', `${name}: nothing reaches the app`);
    }
    await stage.othersAreServed(t, 'all of them');
    t.match(app.received, /^GET \/good HTTP\/1\.1\r\n/, 'and comes first on its connection');
  },
);

const UPGRADE = 'GET /upgrade HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
/** Name, request, answer of the app. */
const ANSWERS: readonly (readonly [string, string, string])[] = [
  ['200 to an Upgrade', UPGRADE, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['204 to an Upgrade', UPGRADE, 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['garbage to an Upgrade', UPGRADE, '\x81\x05hello\r\n\r\n'],
  ['half of a 101 to an Upgrade', UPGRADE, 'HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n'],
  ['101 that nobody asked for', get(''), 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'],
  ['two CLs', get(''), 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
  ['CL and TE', get(''), 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a head of 1 MB', get(''), `HTTP/1.1 200 OK\r\n${`X: ${'x'.repeat(996)}\r\n`.repeat(1_000)}\r\n`],
  ['a field of 1 MB', get(''), `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`],
  ['a status of four digits', get(''), 'HTTP/1.1 2000 OK\r\n\r\n'],
];

t.test(
  '200 or garbage in answer to an Upgrade or CONNECT; a response with two CLs; a response head of 1 MB',
  async t => {
    for (const [name, request, answer] of ANSWERS) {
      app.answers.set(request === UPGRADE ? '/upgrade' : '/attack', answer);
      const before = app.connections;
      await stage.othersAreServed(t);
      await using connection = new RawConnection(pair.outbound);
      connection.write(request);
      const text = await connection.until(received => received.includes('\r\n\r\n'));
      t.match(text, /^HTTP\/1\.1 502 [\s\S]*x-outrider-flag: UPE/i, `${name}: 502`);
      await stage.othersAreServed(t, name);
      t.ok(app.connections > before, `${name}: the connection is discarded`);
    }
    // CONNECT goes to raw TCP only, and its answer is the sidecar's own: to any other port it is the tunnel's first request that is judged.
    await using tunnel = new RawConnection(pair.outbound);
    tunnel.write(`CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n\x16\x03\x01garbage\r\n\r\n`);
    t.match(await tunnel.untilClosed(), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nHTTP\/1\.1 400 /);
  },
);

t.test('forged identity headers (`x-forwarded-client-cert`, `x-outrider-*`) from an app or from outside', async t => {
  const forged =
    'X-Forwarded-Client-Cert: URI=evil\r\nx-outrider-flag: evil\r\nX-Outrider-Anything: evil\r\noutrider-to: evil\r\n';
  app.answers.set('/forged', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${forged}\r\nok`);
  app.received = '';
  await using connection = new RawConnection(pair.outbound);
  connection.write(`GET /forged HTTP/1.1\r\n${HOST}${forged}\r\n`);
  const text = await connection.until(received => received.endsWith('ok'));
  t.match(text, /^HTTP\/1\.1 200 /);
  t.notMatch(text, /evil/, 'an app’s do not reach its caller');
  t.match(app.received, /^GET \/forged /);
  t.notMatch(app.received, /evil/, 'a client’s do not reach the app');
});
