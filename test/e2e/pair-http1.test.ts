/** HTTP/1.1 through a pair, as `node:http`, undici and a bare socket see it. */
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import t from 'tap';
import { Pool, request } from 'undici';
import { startHttpApp } from '../support/http-app.ts';
import { startPair } from '../support/pair.ts';
import { RawConnection } from '../support/raw-http1.ts';

const app = await startHttpApp();
const pair = await startPair({ services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }] });
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
const url = `http://127.0.0.1:${pair.outbound}`;
const headers = { host: 'web' };
const onlyMesh = { skip: pair.kind === 'sidecars' ? false : 'HAProxy does not' };

t.test('a request reaches the app, and its answer comes back', async t => {
  const answer = await request(`${url}/`, { headers });
  t.equal(answer.statusCode, 200);
  t.equal(answer.headers['content-type'], 'application/json');
  t.same(await answer.body.json(), { hello: 'world' });
  t.equal(app.seen.get('/'), 1, 'the app saw it once');
});

t.test('node:http keeps one connection alive over many requests', async t => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  for (let i = 0; i < 20; i++) {
    const [response] = (await once(
      get({ port: pair.outbound, host: '127.0.0.1', path: `/headers?i=${i}`, headers, agent }),
      'response',
    )) as [IncomingMessage];
    ports.add(response.socket.localPort);
    const text = (await response.toArray()).join('');
    t.match(JSON.parse(text), { url: `/headers?i=${i}`, version: '1.1' });
  }
  t.equal(ports.size, 1);
  agent.destroy();
});

t.test('undici pipelines ten deep on four connections and gets each answer for its own request', async t => {
  const pool = new Pool(url, { pipelining: 10, connections: 4 });
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const answer = await pool.request({ path: `/headers?n=${i}`, method: 'GET', headers });
      return ((await answer.body.json()) as { url: string }).url;
    }),
  );
  await pool.close();
  t.same(
    answers,
    Array.from({ length: 200 }, (_, i) => `/headers?n=${i}`),
  );
});

t.test('pipelined requests are answered in order although the first is the slowest', async t => {
  await using connection = new RawConnection(pair.outbound);
  const paths = ['/slow?ms=150', '/status?code=201', '/empty', '/status?code=204', '/headers'];
  connection.write(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: web\r\n\r\n`).join(''));
  const text = await connection.until(received => received.includes('"/headers"'));
  t.same(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1]),
    ['200', '201', '200', '204', '200'],
  );
});

t.test('a request that arrives byte by byte is the same request', async t => {
  await using connection = new RawConnection(pair.outbound);
  for (const byte of 'POST /count HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello') {
    connection.write(byte);
    await new Promise(resolve => setImmediate(resolve));
  }
  t.match(await connection.until(received => received.includes('}')), /"bytes":5/);
});

t.test('Connection: close is kept, and the connection ends after the answer', async t => {
  await using connection = new RawConnection(pair.outbound);
  connection.write('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n');
  const text = await connection.untilClosed();
  t.ok(connection.closed);
  t.match(text, /^HTTP\/1\.1 200 /);
  t.match(text, /\r\nconnection: close\r\n/i);
});

t.test('an HTTP/1.0 request is answered, and its connection ends', onlyMesh, async t => {
  await using connection = new RawConnection(pair.outbound);
  connection.write('GET /bytes?n=100&chunked=1 HTTP/1.0\r\nHost: web\r\n\r\n');
  const text = await connection.untilClosed();
  t.ok(connection.closed);
  t.match(text, /^HTTP\/1\.[01] 200 /);
  t.notMatch(text, /transfer-encoding/i, 'no chunked coding for HTTP/1.0');
  t.equal(text.slice(text.indexOf('\r\n\r\n') + 4).length, 100);
});

t.test('HEAD has the length of the body and no body, and the connection goes on', async t => {
  await using connection = new RawConnection(pair.outbound);
  connection.write('HEAD /bytes?n=1000 HTTP/1.1\r\nHost: web\r\n\r\nGET / HTTP/1.1\r\nHost: web\r\n\r\n');
  const text = await connection.until(received => received.includes('{"hello":"world"}'));
  const [first = '', second = ''] = text.split('\r\n\r\n');
  t.match(first, /^HTTP\/1\.1 200 /);
  t.match(first, /\r\ncontent-length: 1000/i);
  t.match(second, /^HTTP\/1\.1 200 /);
});

t.test('204 and 304 have no body and no framing of one, and the connection goes on', async t => {
  await using connection = new RawConnection(pair.outbound);
  for (const code of [204, 304]) connection.write(`GET /status?code=${code} HTTP/1.1\r\nHost: web\r\n\r\n`);
  connection.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n');
  const text = await connection.until(received => received.includes('{"hello":"world"}'));
  const [noContent = '', notModified = '', last = ''] = text.split('\r\n\r\n');
  t.match(noContent, /^HTTP\/1\.1 204 /);
  t.notMatch(noContent, /transfer-encoding|content-length/i);
  t.match(notModified, /^HTTP\/1\.1 304 /);
  t.match(notModified, /etag: "x"/i);
  t.notMatch(notModified, /transfer-encoding/i);
  t.match(last, /^HTTP\/1\.1 200 /);
});

t.test('content-length: 0 stays as it is', async t => {
  const answer = await request(`${url}/empty`, { headers });
  t.equal(answer.headers['content-length'], '0');
  t.equal(await answer.body.text(), '');
});

t.test('the app sees header names as the client spelt them, in order, and no hop-by-hop field', onlyMesh, async t => {
  await using connection = new RawConnection(pair.outbound);
  connection.write(
    'GET /headers HTTP/1.1\r\nX-Zulu: 1\r\nHost: web\r\naCCept: */*\r\nX-Alpha: 2\r\nConnection: x-drop\r\nX-Drop: gone\r\nX-Zulu: 3\r\n\r\n',
  );
  const text = await connection.until(received => received.includes('}'));
  const { raw } = JSON.parse(text.slice(text.indexOf('{'))) as { raw: string[] };
  const names = raw.filter((_, i) => i % 2 === 0);
  t.same(
    names.filter(name => ['X-Zulu', 'Host', 'aCCept', 'X-Alpha'].includes(name)),
    ['X-Zulu', 'Host', 'aCCept', 'X-Alpha', 'X-Zulu'],
    text,
  );
  t.notOk(names.some(name => name.toLowerCase() === 'x-drop'));
  t.equal(raw[raw.indexOf('Host') + 1], 'web', "the app's own Host, unchanged");
});

t.test('identity and mesh fields of an app are stripped', onlyMesh, async t => {
  const forged = {
    'x-forwarded-client-cert': 'URI=spiffe://evil',
    'x-outrider-peer': 'evil',
    'outrider-to': 'evil.default',
  };
  const answer = await request(`${url}/headers`, { headers: { ...headers, ...forged } });
  t.notMatch(await answer.body.text(), /evil/);
});
