/** ExternalName Services with TLS: a sidecar, and servers outside with certificates, HTTP/1.1 and HTTP/2, good and bad. */
import { once } from 'node:events';
import { createServer as createPlainServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { constants, type Http2ServerRequest } from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import t from 'tap';
import { request } from 'undici';
import type { PolicyView, TlsOriginationView } from '../../api/snapshot.ts';
import { patternBytes } from '../support/http-app.ts';
import { type SidecarPair, startSidecarPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { createWebAuthority, serverName, TlsServer, webCertificate } from '../support/tls-server.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(60_000);

/** More than the buffers of all sockets on its way take in. */
const BIG_BYTES = 30_000_000;

const authority = createWebAuthority();
const good = webCertificate(authority, 'localhost');
const trust: TlsOriginationView = { hostname: '', caCertificates: authority.certificatePem };

/** The connection, or the stream, ends in the middle of it. */
const breakOff = (incoming: IncomingMessage | Http2ServerRequest): void =>
  'stream' in incoming ? incoming.stream.close(constants.NGHTTP2_INTERNAL_ERROR) : void incoming.socket.destroy();

/** Answers that depend on the path; the default one says what came. */
const handler = (incoming: IncomingMessage, response: import('node:http').ServerResponse): void => {
  const { url = '' } = incoming;
  if (url === '/echo') return void incoming.pipe(response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }));
  if (url === '/big') return void response.end(patternBytes(BIG_BYTES));
  if (url === '/none') return void response.writeHead(204).end();
  if (url === '/slow') return void incoming.resume();
  if (url === '/trailers') {
    response.writeHead(200, { trailer: 'x-sum' });
    response.write('body');
    response.addTrailers({ 'x-sum': '7' });
    return void response.end();
  }
  if (url === '/cut') {
    response.writeHead(200).write('half');
    setTimeout(() => breakOff(incoming), 20);
    return;
  }
  if (url === '/reset') return breakOff(incoming);
  if (url === '/early') {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
    return void response.end('late');
  }
  const { host, ':authority': http2Authority, ...headers } = incoming.headers;
  response.end(
    JSON.stringify({
      version: incoming.httpVersion,
      host: http2Authority ?? host,
      sni: serverName(incoming),
      url,
      method: incoming.method,
      mesh: Object.keys(headers).filter(name => name.includes('outrider')),
    }),
  );
};

const http1 = await new TlsServer({ ...good, http2: false }, handler).listen();
const http2 = await new TlsServer({ ...good, http2: true }, handler).listen();
const otherName = await new TlsServer(
  { ...webCertificate(authority, 'other.example'), http2: false },
  handler,
).listen();
const expired = await new TlsServer({ ...webCertificate(authority, 'localhost', 5), http2: false }, handler).listen();
const limited = await new TlsServer({ ...good, http2: false }, handler).listen();
const plain = createPlainServer((incoming, response) => response.end(String(incoming.headers.host))).listen(
  0,
  '127.0.0.1',
);
const greeter = createTlsServer(good, socket => {
  socket.on('error', () => {});
  socket.write('hello ');
  socket.pipe(socket);
}).listen(0, '127.0.0.1');
const closing = net
  .createServer(socket => socket.on('error', () => {}).once('data', () => socket.resetAndDestroy()))
  .listen(0, '127.0.0.1');
const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;
await Promise.all([plain, greeter, closing].map(async server => server.listening || once(server, 'listening')));

interface External {
  readonly port: number;
  readonly protocol?: 'http' | 'http2' | 'tcp';
  readonly tls?: TlsOriginationView;
  readonly policy?: Partial<PolicyView>;
}
const EXTERNALS: Readonly<Record<string, External>> = {
  one: { port: http1.port, tls: trust, policy: { requestTimeoutMs: 10_000 } },
  two: {
    port: http2.port,
    tls: trust,
    // A GOAWAY may refuse ten requests at once, before there were enough others to pay for so many retries.
    policy: { requestTimeoutMs: 10_000, retryBudget: { ratio: 0.2, minRetries: 100, windowMs: 10_000 } },
  },
  named: { port: otherName.port, tls: { ...trust, hostname: 'other.example' } },
  'wrong-name': { port: otherName.port, tls: trust },
  expired: { port: expired.port, tls: trust },
  untrusted: { port: http1.port, tls: { hostname: '', caCertificates: '' } },
  'needs-two': { port: http1.port, tls: trust, protocol: 'http2' },
  reset: { port: portOf(closing), tls: trust },
  nobody: { port: 1, tls: trust },
  limited: {
    port: limited.port,
    tls: trust,
    policy: {
      circuitBreaker: { maxConnections: 1, maxPendingRequests: 1, maxRequests: 100, maxRetries: 1 },
      requestTimeoutMs: 400,
    },
  },
  plain: { port: portOf(plain) },
  bytes: { port: portOf(greeter), protocol: 'tcp', tls: trust },
};
const pair: SidecarPair = await startSidecarPair({
  services: Object.entries(EXTERNALS).map(([name, { protocol = 'http', port }]) => ({
    name,
    port: 80,
    protocol,
    appPort: port,
  })),
  editSnapshot: snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => {
      const { port, tls, policy } = EXTERNALS[service.name]!;
      return {
        ...service,
        ports: service.ports.map(each => ({
          ...each,
          authority: `localhost:${port}`,
          policy: { ...each.policy, ...policy, ...(tls !== undefined && { tls }) },
        })),
        endpoints: service.endpoints.map(each => ({ ...each, address: `localhost:${port}`, identity: null })),
      };
    }),
  }),
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await Promise.all([http1, http2, otherName, expired, limited].map(server => server[Symbol.asyncDispose]()));
  for (const server of [plain, greeter, closing]) server.close();
});

const url = (service: string, path = '/'): string => `http://127.0.0.1:${pair.upstream(service)}${path}`;
const get = async (service: string, path = '/', options: Parameters<typeof request>[1] = {}) => {
  const { statusCode, headers, body, trailers } = await request(url(service, path), options);
  return { status: statusCode, headers, body: await body.text(), trailers };
};
const EXPECTED = { one: ['1.1', http1], two: ['2.0', http2] } as const;

for (const service of ['one', 'two'] as const) {
  const [version, server] = EXPECTED[service];
  t.test(`HTTP/${version}: the server is asked by its own name, and nothing of the mesh leaves`, async t => {
    const { status, body } = await get(service, '/a?b=c', { headers: { 'x-outrider-evil': '1' } });
    t.equal(status, 200);
    t.same(JSON.parse(body), {
      version,
      host: `localhost:${server.port}`,
      sni: 'localhost',
      url: '/a?b=c',
      method: 'GET',
      mesh: [],
    });
  });

  t.test(`HTTP/${version}: bodies pass both ways, of known and unknown length`, async t => {
    const bytes = patternBytes(1_000_000).toString('latin1');
    const known = await get(service, '/echo', { method: 'POST', body: Buffer.from(bytes, 'latin1') });
    t.equal(known.body.length, Buffer.from(bytes, 'latin1').toString().length);
    t.same(known.headers['set-cookie'], ['a=1', 'b=2']);
    const chunked = httpRequest(url(service, '/echo'), { method: 'POST' });
    chunked.write('first ');
    setTimeout(() => chunked.end('last'), 20);
    const [answer] = (await once(chunked, 'response')) as [IncomingMessage];
    t.equal(await text(answer), 'first last');
    t.equal((await get(service, '/none')).status, 204);
    t.equal((await get(service, '/', { method: 'HEAD' })).body, '');
    t.equal((await get(service, '/', { method: 'DELETE' })).status, 200);
    t.equal((await get(service, '/echo', { method: 'POST' })).body, '', 'an empty body');
  });

  t.test(`HTTP/${version}: a client that waits for 100 gets one`, async t => {
    const sent = httpRequest(url(service, '/echo'), {
      method: 'PUT',
      headers: { expect: '100-continue', 'content-length': 4 },
    });
    // The server begins its answer at once, so that both may come together.
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.flushHeaders();
    await once(sent, 'continue');
    sent.end('body');
    const [answer] = await answered;
    t.equal(await text(answer), 'body');
  });

  t.test(`HTTP/${version}: trailers and early hints come through`, async t => {
    const sent = httpRequest(url(service, '/trailers')).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    t.equal(await text(answer), 'body');
    t.equal(answer.trailers['x-sum'], '7');
    const hinted = httpRequest(url(service, '/early')).end();
    const [[hint]] = await Promise.all([once(hinted, 'information'), once(hinted, 'response')]);
    t.match(hint, { statusCode: 103, headers: { link: /preload/ } });
  });

  t.test(`HTTP/${version}: a slow reader slows the server down, and loses nothing`, async t => {
    const sent = httpRequest(url(service, '/big')).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.pause();
    const buffered = async (): Promise<number> => total(await pair.a.samples(), 'outrider_buffered_bytes');
    await waitFor('the sidecar to wait', async () => (await buffered()) > 0);
    t.ok((await buffered()) < 1_000_000, 'little waits in the sidecar');
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    t.ok(Buffer.concat(parts).equals(patternBytes(BIG_BYTES)));
  });

  t.test(`HTTP/${version}: what breaks off is told, and connections are used again`, async t => {
    t.equal((await get(service, '/reset', { method: 'POST', body: 'x' })).status, 503);
    await t.rejects(get(service, '/cut'), 'an answer that was begun is cut');
    const before = server.connections;
    for (let i = 0; i < 5; i++) t.equal((await get(service)).status, 200);
    t.ok(server.connections - before <= 1, 'one connection');
    const broken = get(service, '/slow', { method: 'POST' });
    await waitFor('the request to arrive', () => server.slow > 0);
    server.cut();
    t.equal((await broken).status, 503, 'not repeated: the server may have done it');
    t.equal((await get(service)).status, 200);
  });
}

t.test('a caller that gives up takes its request back', async t => {
  for (const [service, server] of [
    ['one', http1],
    ['two', http2],
  ] as const) {
    const before = server.abandoned;
    const sent = httpRequest(url(service, '/slow')).on('error', () => {});
    sent.end();
    await waitFor('the request to arrive', () => server.slow > 0);
    sent.destroy();
    await waitFor(`${service} to hear of it`, () => server.abandoned > before && server.slow === 0);
  }
  t.pass();
});

t.test('a server that leaves with GOAWAY fails no request', async t => {
  for (let i = 0; i < 3; i++) {
    const before = http2.connections;
    http2.goAway();
    const answers = await Promise.all(Array.from({ length: 10 }, () => get('two')));
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]));
    t.ok(http2.connections > before, 'a new connection');
  }
});

t.test('the name to verify can be another one than is dialled', async t => {
  const { body } = await get('named');
  t.match(JSON.parse(body), { sni: 'other.example', host: `localhost:${otherName.port}` });
});

const refusals = [
  ['wrong-name', 'PEER_IDENTITY', 'server_name'],
  ['expired', 'PEER_IDENTITY', 'server_expired'],
  ['untrusted', 'PEER_IDENTITY', 'server_untrusted'],
  ['needs-two', 'CONNECT_FAILED', 'no_http2'],
  ['reset', 'CONNECT_FAILED', 'tls_handshake'],
  ['nobody', 'CONNECT_FAILED', 'connection_refused'],
] as const;
for (const [service, code, detail] of refusals)
  t.test(`a server that is ${service.replace('-', ' ')} gets no request: ${detail}`, async t => {
    const before = [http1, otherName, expired].map(server => server.requests);
    const { status, body, headers } = await get(service);
    t.equal(status, 503);
    t.match(`${body} ${JSON.stringify(headers)}`, new RegExp(detail), code);
    t.same(
      before,
      [http1, otherName, expired].map(server => server.requests),
    );
  });

t.test('timeouts and the limits of the circuit breaker hold', async t => {
  const first = get('limited', '/slow');
  await waitFor('the first to have the connection', () => limited.slow === 1);
  const [one, two, three] = await Promise.all([first, get('limited', '/slow'), get('limited', '/slow')]);
  t.equal(one.status, 504);
  t.same(
    [two.status, three.status].sort((a, b) => a - b),
    [503, 504],
    'one waits, the other is refused',
  );
  t.equal((await get('limited')).status, 200, 'and then there is room again');
});

t.test('without TLS the server is asked by its own name too', async t => {
  t.equal((await get('plain')).body, `localhost:${portOf(plain)}`);
});

t.test('raw TCP goes on inside TLS', async t => {
  const socket = net.connect(pair.upstream('bytes'), '127.0.0.1');
  socket.end('world');
  t.equal(await text(socket), 'hello world');
});

t.test('an upgrade is granted, and bytes pass both ways', async t => {
  http1.onUpgrade((_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  });
  const sent = httpRequest(url('one', '/ws'), { headers: { connection: 'upgrade', upgrade: 'websocket' } }).end();
  const [answer, socket] = (await once(sent, 'upgrade')) as [IncomingMessage, net.Socket];
  t.equal(answer.statusCode, 101);
  socket.end('both ways');
  t.equal(await text(socket), 'both ways');
});

t.test('the metrics say that it was TLS, and not the mesh', async t => {
  const samples = await pair.a.samples();
  const labels = { destination_service: 'one', reporter: 'source' };
  t.ok(total(samples, 'outrider_requests_total', { ...labels, connection_security_policy: 'tls' }) > 0);
  t.equal(total(samples, 'outrider_requests_total', { ...labels, connection_security_policy: 'mutual_tls' }), 0);
  t.ok(
    total(samples, 'outrider_requests_total', { destination_service: 'plain', connection_security_policy: 'none' }) > 0,
  );
});
