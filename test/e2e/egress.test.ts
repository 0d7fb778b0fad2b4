import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';

t.setTimeout(60_000);

const OUTSIDE = { destination_service: 'passthrough', connection_security_policy: 'none', reporter: 'source' };

const startPair = (appPort: number, outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY') =>
  startSidecarPair({
    services: [{ name: 'web', port: 80, protocol: 'http', appPort }],
    editSnapshot: snapshot => ({ ...snapshot, outboundPolicy }),
  });

/** What a client that takes the sidecar for its HTTP proxy gets for an absolute-form request. */
const getThroughProxy = async (proxyPort: number, url: string, body?: string) => {
  const method = body === undefined ? 'GET' : 'POST';
  const headers = { host: new URL(url).host };
  const sent = httpRequest({ host: '127.0.0.1', port: proxyPort, path: url, method, headers }).end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
};

/** The first bytes of the answer to CONNECT, and the open socket. */
const connectThroughProxy = async (proxyPort: number, authority: string) => {
  const socket = net.connect(proxyPort, '127.0.0.1');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  return { socket, answer: first.toString() };
};

t.test('ALLOW_ANY: what is not in the mesh is reached as without it', async t => {
  await using app = await startHttpApp();
  await using pair = await startPair(app.port, 'ALLOW_ANY');
  const outside = createServer((incoming, response) => {
    response.setHeader('x-seen', JSON.stringify({ url: incoming.url, host: incoming.headers.host }));
    incoming.pipe(response);
  }).listen(0, '127.0.0.1');
  t.teardown(() => outside.close());
  await once(outside, 'listening');
  const { port } = outside.address() as AddressInfo;

  const plain = await getThroughProxy(pair.outbound, `http://localhost:${port}/a?b`);
  t.equal(plain.status, 200);
  t.same(JSON.parse(String(plain.headers['x-seen'])), { url: '/a?b', host: `localhost:${port}` });
  const posted = await getThroughProxy(pair.outbound, `http://127.0.0.1:${port}/`, 'x'.repeat(100_000));
  t.equal(posted.body.length, 100_000, 'bodies pass both ways');
  t.equal((await getThroughProxy(pair.outbound, 'http://web/')).status, 200, 'the mesh is still the mesh');

  const { socket, answer } = await connectThroughProxy(pair.outbound, `localhost:${port}`);
  t.match(answer, /^HTTP\/1\.1 200 /);
  socket.write('GET /tunnel HTTP/1.1\r\nHost: inside\r\nConnection: close\r\n\r\n');
  t.match(await text(socket), /"url":"\/tunnel","host":"inside"/, 'CONNECT passes the bytes on as they are');

  const samples = await pair.a.samples();
  t.equal(total(samples, 'outrider_requests_total', OUTSIDE), 2);
  t.equal(total(samples, 'outrider_tcp_connections_opened_total', OUTSIDE), 1);
  t.ok(total(samples, 'outrider_tcp_sent_bytes_total', OUTSIDE) > 50);
});

t.test('ALLOW_ANY: what cannot be reached says why', async t => {
  await using app = await startHttpApp();
  await using pair = await startPair(app.port, 'ALLOW_ANY');
  const closed = await freePort();
  const refused = await getThroughProxy(pair.outbound, `http://127.0.0.1:${closed}/`);
  t.match(refused, { status: 503, headers: { 'x-outrider-flag': 'UF', 'x-outrider-detail': 'connection_refused' } });
  t.match(
    (await connectThroughProxy(pair.outbound, `127.0.0.1:${closed}`)).answer,
    /^HTTP\/1\.1 503 Service Unavailable\r\n.*x-outrider-flag: UF\r\n.*x-outrider-detail: connection_refused\r\n.*x-request-id: .*connection: close\r\n/s,
  );
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const loop = await getThroughProxy(pair.outbound, `http://${host}:${pair.outbound}/`);
    t.match(loop, { status: 404, headers: { 'x-outrider-flag': 'NR', 'x-outrider-detail': 'loop' } }, host);
  }
  t.match((await connectThroughProxy(pair.outbound, `localhost:${pair.outbound}`)).answer, /^HTTP\/1\.1 404 .*loop/s);
  t.match(
    await getThroughProxy(pair.outbound, 'http://web:81/'),
    { status: 404, headers: { 'x-outrider-detail': 'unknown_port' } },
    'a port that a service of the mesh lacks does not lead out of it',
  );
});

t.test('REGISTRY_ONLY: what is not in the mesh is not reached', async t => {
  await using app = await startHttpApp();
  await using pair = await startPair(app.port, 'REGISTRY_ONLY');
  const answer = await getThroughProxy(pair.outbound, `http://127.0.0.1:${app.port}/`);
  t.match(answer, { status: 404, headers: { 'x-outrider-flag': 'NR', 'x-outrider-detail': 'unknown_service' } });
  t.match(
    (await connectThroughProxy(pair.outbound, `127.0.0.1:${app.port}`)).answer,
    /^HTTP\/1\.1 404 Not Found\r\n.*unknown_service/s,
  );
  t.equal(app.seen.size, 0);
});
