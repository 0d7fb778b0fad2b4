/** Bodies through a pair: large, chunked, with trailers, and the 1xx answers that go before them. */
import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import t from 'tap';
import { request } from 'undici';
import { patternBytes, startHttpApp } from '../support/http-app.ts';
import { startPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { RawConnection } from '../support/raw-http1.ts';
import { waitFor } from '../support/wait-for.ts';

const LARGE = 5_000_000;

const app = await startHttpApp();
const pair = await startPair({ services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }] });
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
const url = `http://127.0.0.1:${pair.outbound}`;
const headers = { host: 'web' };
const onlyMesh = { skip: pair.kind === 'sidecars' ? false : 'HAProxy does not' };

const response = async (sent: ClientRequest): Promise<IncomingMessage> =>
  (await once(sent, 'response'))[0] as IncomingMessage;
const open = (method: string, path: string, more: Record<string, string> = {}): ClientRequest =>
  httpRequest({ host: '127.0.0.1', port: pair.outbound, method, path, headers: { ...headers, ...more } });
const bytesOf = async (message: IncomingMessage): Promise<Buffer> =>
  Buffer.concat((await message.toArray()) as Buffer[]);

for (const framing of ['content-length', 'chunked'] as const) {
  const chunked = framing === 'chunked' ? '&chunked=1' : '';
  t.test(`5 MB come down byte for byte, ${framing}`, async t => {
    const answer = await request(`${url}/bytes?n=${LARGE}${chunked}`, { headers });
    const body = Buffer.from(await answer.body.arrayBuffer());
    t.equal(answer.headers['content-length'], chunked ? undefined : String(LARGE));
    t.ok(body.equals(patternBytes(LARGE)), `${body.length} bytes`);
  });

  t.test(`5 MB go up and come back byte for byte, ${framing}`, async t => {
    const sent = open('POST', '/echo', framing === 'chunked' ? {} : { 'content-length': String(LARGE) });
    const pending = response(sent);
    for (let at = 0; at < LARGE; at += 100_000) {
      if (!sent.write(patternBytes(100_000, at))) await once(sent, 'drain');
    }
    sent.end();
    const body = await bytesOf(await pending);
    t.ok(body.equals(patternBytes(LARGE)), `${body.length} bytes`);
  });
}

t.test('ten uploads of 1 MB at once arrive whole', async t => {
  const body = patternBytes(1_000_000);
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const answer = await request(`${url}/echo`, { method: 'POST', headers, body });
      return Buffer.from(await answer.body.arrayBuffer()).equals(body);
    }),
  );
  t.same(answers, Array(10).fill(true));
});

t.test('when bodies have passed, nothing counts as buffered', onlyMesh, async () => {
  for (let i = 0; i < 20; i++) await (await request(`${url}/bytes?n=1000000&chunked=1`, { headers })).body.dump();
  for (const sidecar of pair.kind === 'sidecars' ? [pair.a, pair.b] : [])
    await waitFor('release', async () => total(await sidecar.samples(), 'outrider_buffered_bytes') === 0);
});

t.test('trailers of a chunked answer reach the client', async t => {
  const message = await response(open('GET', '/trailers', { te: 'trailers' }).end());
  t.equal((await bytesOf(message)).toString(), 'first second');
  t.match(message.trailers, { 'x-checksum': 'abc123', 'x-second': '2' });
});

t.test('trailers of a chunked request reach the app', async t => {
  await using connection = new RawConnection(pair.outbound);
  connection.write('POST /count HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n');
  connection.write('5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n');
  const text = await connection.until(received => received.includes('}}'));
  t.match(text, /"bytes":11/);
  t.match(text, /"x-sum":"11"/);
});

t.test('103 Early Hints comes before the answer', async t => {
  const sent = open('GET', '/early-hints');
  const information: { statusCode: number; link: unknown }[] = [];
  sent.on('information', info => information.push({ statusCode: info.statusCode, link: info.headers.link }));
  sent.end();
  const message = await response(sent);
  t.match(JSON.parse((await bytesOf(message)).toString()), { hints: 'sent' });
  t.same(information, [{ statusCode: 103, link: '</style.css>; rel=preload; as=style' }]);
});

t.test('a client that waits for 100 Continue gets it, then sends the body', async t => {
  const sent = open('POST', '/count', { expect: '100-continue', 'content-length': '4' });
  const pending = response(sent);
  sent.flushHeaders();
  await once(sent, 'continue');
  sent.end('data');
  t.match(JSON.parse((await bytesOf(await pending)).toString()), { bytes: 4 });
});

t.test('an app that refuses an Expect answers before the body, and nothing hangs', async t => {
  app.server.once('checkContinue', (_request, answer) => {
    answer.writeHead(417, { 'content-length': 0, connection: 'close' });
    answer.end();
  });
  const sent = open('POST', '/count', { expect: '100-continue', 'content-length': '4' });
  sent.flushHeaders();
  const message = await response(sent);
  t.equal(message.statusCode, 417);
  message.resume();
  sent.destroy();
});

t.test('an answer that breaks off in the middle is never a whole one', onlyMesh, async t => {
  const answer = await request(`${url}/break`, { headers, signal: AbortSignal.timeout(5_000) });
  await t.rejects(answer.body.text(), { code: /^(UND_ERR_SOCKET|ECONNRESET)$/ });
});

t.test('an answer that never begins is an error at once, not a hang', onlyMesh, async t => {
  const answer = await request(`${url}/reset`, { headers, signal: AbortSignal.timeout(5_000) });
  t.equal(answer.statusCode, 503);
  await answer.body.dump();
});
