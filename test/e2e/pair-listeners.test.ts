/** The ways into the mesh: as an HTTP proxy (absolute-form, CONNECT), by the port of an upstream, over HTTP/2 without TLS. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import t from 'tap';
import { ProxyAgent, request } from 'undici';
import { patternBytes, startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { RawConnection, sendRaw } from '../support/raw-http1.ts';

const app = await startHttpApp();
const second = await startHttpApp();
const pair = await startSidecarPair({
  services: [
    { name: 'web', port: 80, protocol: 'http', appPort: app.port },
    { name: 'other', port: 8080, protocol: 'http', appPort: second.port },
  ],
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});

t.test('absolute-form goes where the target says, and the app gets origin-form', async t => {
  await using connection = new RawConnection(pair.outbound);
  connection.write(
    'GET http://other:8080/headers?x=1 HTTP/1.1\r\nHost: ignored\r\nProxy-Connection: keep-alive\r\n\r\n',
  );
  const text = await connection.until(received => received.includes('}'));
  const seen = JSON.parse(text.slice(text.indexOf('{'))) as { url: string; raw: string[] };
  t.equal(seen.url, '/headers?x=1');
  t.equal(seen.raw[seen.raw.findIndex(name => name.toLowerCase() === 'host') + 1], 'other:8080', 'RFC 9112 §3.2.2');
  t.notOk(seen.raw.some(name => name.toLowerCase() === 'proxy-connection'));
  t.equal(second.seen.get('/headers'), 1);
});

t.test('curl-like proxy use: one connection, two services by turns', async t => {
  await using connection = new RawConnection(pair.outbound);
  for (const host of ['web', 'other:8080', 'web'])
    connection.write(`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const text = await connection.until(received => (received.match(/\{"hello":"world"\}/g) ?? []).length === 3);
  t.equal((text.match(/HTTP\/1\.1 200/g) ?? []).length, 3);
});

t.test('CONNECT, with HTTP detected inside: a client that knows only HTTP_PROXY', async t => {
  const dispatcher = new ProxyAgent({ uri: `http://127.0.0.1:${pair.outbound}`, proxyTunnel: true });
  const before = app.seen.get('/') ?? 0;
  const answer = await request('http://web/', { dispatcher });
  t.equal(answer.statusCode, 200);
  t.same(await answer.body.json(), { hello: 'world' });
  t.equal(app.seen.get('/'), before + 1);
  await dispatcher.close();
});

t.test('CONNECT to a name that nobody has: the request inside the tunnel is told why', async t => {
  const inside = 'GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n';
  const text = await sendRaw(pair.outbound, `CONNECT nobody:80 HTTP/1.1\r\nHost: nobody:80\r\n\r\n${inside}`, 2_000);
  t.match(text, /^HTTP\/1\.1 404 /m);
  t.match(text, /^x-outrider-flag: NR\r$/im);
});

t.test('the port of an upstream stands for its service, whatever the Host says', async t => {
  const url = `http://127.0.0.1:${pair.upstream('other')}/headers`;
  const before = second.seen.get('/headers') ?? 0;
  for (const host of [undefined, 'web', 'anything.example']) {
    const answer = await request(url, { headers: host === undefined ? {} : { host } });
    t.equal(answer.statusCode, 200);
    const { raw } = (await answer.body.json()) as { raw: string[] };
    const seen = raw[raw.findIndex(name => name.toLowerCase() === 'host') + 1];
    t.equal(seen, host ?? `127.0.0.1:${pair.upstream('other')}`, 'and the app sees it unchanged');
  }
  t.equal(second.seen.get('/headers'), before + 3);
});

t.test('an HTTP/1.0 request without Host works on the port of an upstream', async t => {
  t.match(
    await sendRaw(pair.upstream('web'), 'GET / HTTP/1.0\r\n\r\n'),
    /^HTTP\/1\.[01] 200 [\s\S]*\{"hello":"world"\}$/,
  );
});

t.test('HTTP/2 with prior knowledge reaches an HTTP/1.1 app: heads, bodies, trailers, many streams', async t => {
  const session = connectHttp2(`http://127.0.0.1:${pair.outbound}`);
  const ask = async (path: string, body?: Buffer) => {
    const stream = session.request(
      { ':authority': 'web', ':path': path, ':method': body ? 'POST' : 'GET' },
      { endStream: !body },
    );
    if (body) stream.end(body);
    let trailers: Record<string, unknown> = {};
    stream.on('trailers', fields => {
      trailers = fields;
    });
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    const received = Buffer.concat((await stream.toArray()) as Buffer[]);
    return { head, body: received, trailers };
  };
  const hello = await ask('/');
  t.equal(hello.head[':status'], 200);
  t.equal(String(hello.body), '{"hello":"world"}');
  const echoed = await ask('/echo', patternBytes(1_000_000));
  t.ok(echoed.body.equals(patternBytes(1_000_000)));
  t.match((await ask('/trailers')).trailers, { 'x-checksum': 'abc123' });
  const many = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(`/headers?n=${i}`)));
  t.same(
    many.map(({ body }) => (JSON.parse(String(body)) as { url: string }).url),
    Array.from({ length: 200 }, (_, i) => `/headers?n=${i}`),
  );
  session.close();
});
