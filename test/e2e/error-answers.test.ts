/**
 * Each answer that the mesh makes itself, over HTTP/1.1, HTTP/2 and gRPC: status, flag, detail, sentence, request id, metric and log agree with
 * `ERRORS`, which docs/errors.md lists.
 */
import { once } from 'node:events';
import {
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import t from 'tap';
import { request } from 'undici';
import {
  type AppProtocol,
  DEFAULT_POLICY,
  type PolicyView,
  type RouteView,
  type Snapshot,
} from '../../api/snapshot.ts';
import { DETAILS } from '../../sidecar/errors/details.ts';
import { ERRORS, type ErrorCode } from '../../sidecar/errors/proxy-error.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';
import { waitFor } from '../support/wait-for.ts';

/** A server that does `what` with each connection that says something. */
const rawServer = async (what: (socket: Socket) => void) => {
  let heard = 0;
  const sockets = new Set<Socket>();
  const server = net.createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => {
      heard++;
      what(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    /** Requests, or parts of them. */
    heard: () => heard,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};

/** An HTTP/2 server that resets each stream with `code`. */
const resettingServer = async (code: number): Promise<{ port: number; close: () => void }> => {
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server();
  server.on('session', session => sessions.add(session));
  server.on('stream', stream => {
    stream.on('error', () => undefined);
    stream.close(code);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
};

const silent = await rawServer(() => undefined);
const closing = await rawServer(socket => socket.destroy());
const rubbish = await rawServer(socket => socket.end('NONSENSE\r\n\r\n and more of it, longer than a frame header'));
const refusing = await resettingServer(constants.NGHTTP2_REFUSED_STREAM);
const resetting = await resettingServer(constants.NGHTTP2_INTERNAL_ERROR);
const nowhere = await freePort();

const onHttp = { port: 80, protocol: 'http' as AppProtocol };
const onHttp2 = { port: 80, protocol: 'http2' as AppProtocol };
const SERVICES = [
  ...['gone', 'refused', 'imposter', 'full', 'slow', 'idle', 'unmatched', 'headless', 'faulty', 'gone-away'].map(
    name => ({
      name,
      ...onHttp,
      appPort: silent.port,
    }),
  ),
  { name: 'dead', ...onHttp, appPort: nowhere },
  { name: 'closing', ...onHttp, appPort: closing.port },
  { name: 'rubbish', ...onHttp, appPort: rubbish.port },
  { name: 'refusing', ...onHttp2, appPort: refusing.port },
  { name: 'resetting', ...onHttp2, appPort: resetting.port },
];

const ROUTE: RouteView = {
  name: 'default/test/0',
  matches: [],
  filters: [],
  backends: [],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
};
const ROUTES: Readonly<Record<string, readonly RouteView[]>> = {
  headless: [ROUTE],
  faulty: [
    {
      ...ROUTE,
      backends: [{ service: 'faulty.default', port: 80, weight: 1, filters: [] }],
      fault: { delayMs: 0, delayPercent: 0, abortPercent: 100 },
    },
  ],
  unmatched: [{ ...ROUTE, matches: [{ path: { type: 'Exact', value: '/elsewhere' } }] }],
};
const POLICIES: Readonly<Record<string, Partial<PolicyView>>> = {
  full: { circuitBreaker: { ...DEFAULT_POLICY.circuitBreaker, maxRequests: 0 } },
  slow: { requestTimeoutMs: 50 },
  idle: { idleTimeoutMs: 50 },
};
const edit = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  services: snapshot.services.map(service => ({
    ...service,
    ports: service.ports.map(port => ({
      ...port,
      routes: ROUTES[service.name] ?? port.routes,
      policy: { ...port.policy, outlierDetection: null, ...POLICIES[service.name] },
    })),
    endpoints: service.endpoints
      .filter(() => service.name !== 'gone')
      .map(endpoint => ({
        ...endpoint,
        ...(service.name === 'refused' && { address: `127.0.0.1:${nowhere}` }),
        ...(service.name === 'imposter' && { identity: 'spiffe://mesh.local/ns/default/sa/other' }),
      })),
  })),
});

const pair = await startSidecarPair({
  services: SERVICES,
  editSnapshot: edit,
  // It never answers, so that a name that is not in the snapshot stays unknown.
  env: { a: { OUTRIDER_CONTROL_PLANE: `https://127.0.0.1:${nowhere}` } },
});
const http2 = connectHttp2(`http://127.0.0.1:${pair.outbound}`);
t.teardown(async () => {
  http2.destroy();
  await pair[Symbol.asyncDispose]();
  for (const server of [silent, closing, rubbish, refusing, resetting]) server.close();
});

interface Answer {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly body: string;
}

const overHttp2 = async (host: string, id: string, grpc: boolean): Promise<Answer> => {
  const stream = http2.request({
    ':method': 'POST',
    ':path': '/a.B/C',
    ':authority': host,
    'x-request-id': id,
    ...(grpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
  });
  stream.end();
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  let body = '';
  for await (const chunk of stream.setEncoding('utf8')) body += chunk;
  return { headers, status: Number(headers[':status']), body };
};
const overHttp1 = async (host: string, id: string): Promise<Answer> => {
  const url = `http://127.0.0.1:${pair.outbound}/a.B/C`;
  const answer = await request(url, { method: 'POST', headers: { host, 'x-request-id': id } });
  return { headers: answer.headers, status: answer.statusCode, body: await answer.body.text() };
};
const PROTOCOLS = {
  'HTTP/1.1': overHttp1,
  'HTTP/2': (host: string, id: string) => overHttp2(host, id, false),
  gRPC: (host: string, id: string) => overHttp2(host, id, true),
};

/** What the log of either sidecar says of a request. */
const logOf = (id: string): Record<string, unknown>[] =>
  `${pair.a.process.stdout}\n${pair.b.process.stdout}`
    .split('\n')
    .filter(line => line.includes(`"request_id":"${id}"`))
    .map(line => JSON.parse(line) as Record<string, unknown>);

interface Case {
  readonly host: string;
  readonly detail: string | RegExp;
}

/** How each code is provoked over each of the three protocols; a sentence where it cannot be. */
const CASES: Readonly<Record<ErrorCode, readonly Case[] | string>> = {
  NO_ROUTE: [{ host: 'unmatched', detail: 'no_matching_rule' }],
  NO_BACKEND: [{ host: 'headless', detail: 'no_backend' }],
  DISCOVERY_TIMEOUT: [{ host: 'nobody', detail: 'discovery_timeout' }],
  DENIED: 'no policy refuses requests yet',
  RATE_LIMITED: 'there are no rate limits yet',
  FAULT_INJECTED: [{ host: 'faulty', detail: 'fault_injected' }],
  OVERFLOW: [{ host: 'full', detail: 'max_requests' }],
  NO_HEALTHY_UPSTREAM: [{ host: 'gone', detail: 'no_endpoint' }],
  CONNECT_FAILED: [
    { host: 'refused', detail: 'connection_refused' },
    { host: 'dead', detail: 'connection_refused' },
  ],
  PEER_IDENTITY: [{ host: 'imposter', detail: 'unexpected_id' }],
  REFUSED: [{ host: 'refusing', detail: 'refused_stream' }],
  UPSTREAM_RESET: [{ host: 'resetting', detail: 'stream_reset' }],
  UPSTREAM_CLOSED: [{ host: 'closing', detail: /^connection_/ }],
  DEADLINE_EXCEEDED: [{ host: 'slow', detail: 'request_timeout' }],
  IDLE_TIMEOUT: [{ host: 'idle', detail: 'idle_timeout' }],
  DOWNSTREAM_RESET: 'nobody is left to be answered; its log line and its metric are below',
  DOWNSTREAM_PROTOCOL:
    'what is wrong on the wire ends an HTTP/2 stream or connection without an answer (RFC 9113 §5.4), and a wrong path is in test/e2e/attacks-paths; HTTP/1.1 is below',
  HEAD_TOO_LARGE: 'Node’s HTTP/2 client sends no head that is too large; HTTP/1.1 is below, HTTP/2 in its unit tests',
  URI_TOO_LONG: 'HTTP/2 knows one limit for the whole head; HTTP/1.1 is below',
  REQUEST_TIMEOUT: 'after a minute, and HTTP/1.1 alone: test/unit/sidecar/protocol/http1/serve',
  NOT_IMPLEMENTED: 'HTTP/2 has no transfer codings; HTTP/1.1 is below',
  UPSTREAM_PROTOCOL: [{ host: 'rubbish', detail: /^bad_status_line$|^http2_/ }],
  OVERLOAD: 'it takes 64 MiB, or a held event loop: test/e2e/attacks-memory and test/e2e/attacks-event-loop',
};

const TABLE = Object.entries(CASES).flatMap(([code, cases]) =>
  typeof cases === 'string' ? [] : cases.map(each => ({ code: code as ErrorCode, ...each })),
);

for (const { code, host, detail } of TABLE) {
  const kind = ERRORS[code];
  for (const [protocol, send] of Object.entries(PROTOCOLS)) {
    t.test(`${code} (${host}) over ${protocol}`, async t => {
      const id = `${host}-${protocol.replace(/[^A-Za-z0-9]/g, '')}`;
      const isGrpc = protocol === 'gRPC';
      const status = isGrpc ? 200 : kind.http;
      const labels = {
        reporter: 'source',
        destination_service: host === 'nobody' ? 'unknown' : host,
        response_code: String(status),
        response_flags: kind.flag,
        grpc_response_status: isGrpc ? String(kind.grpc) : '',
      };
      const counted = async () => total(await pair.a.samples(), 'outrider_requests_total', labels);
      const before = await counted();
      const answer = await send(host, id);
      t.equal(answer.status, status);
      t.equal(answer.headers['x-outrider-flag'], kind.flag);
      t.equal(answer.headers['x-request-id'], id);
      const said = String(answer.headers['x-outrider-detail']);
      t.match(said, detail);
      t.ok(said in DETAILS || said.startsWith('http2_'), `${said} is documented`);
      t.notOk('outrider-processed' in answer.headers, 'the link keeps its own fields');
      if (isGrpc) {
        t.equal(answer.headers['grpc-status'], String(kind.grpc));
        t.equal(decodeURIComponent(String(answer.headers['grpc-message'])), kind.sentence);
        t.equal(answer.body, '', 'trailers alone');
      } else t.equal(answer.body, `${kind.sentence}\n`);
      await waitFor('the metric', async () => (await counted()) > before);
      const lines = await waitFor('the log', () => {
        const found = logOf(id);
        return found.some(line => line.error === code) && found.some(line => line.direction === 'outbound') && found;
      });
      t.match(
        lines.find(line => line.error === code),
        { error: code, detail: said, flags: kind.flag, status },
      );
      const outbound = lines.find(line => line.direction === 'outbound');
      t.match(outbound, { flags: kind.flag, status }, 'the caller’s sidecar says the same');
      if (isGrpc) t.equal(outbound?.grpc_status, kind.grpc);
    });
  }
}

t.test('a port that a service does not have is answered with those that it has', async t => {
  const says = 'The service gone.default has no such port: it has 80 (http).';
  for (const [protocol, send] of Object.entries(PROTOCOLS)) {
    const id = `port-${protocol.replace(/[^A-Za-z0-9]/g, '')}`;
    const answer = await send('gone:81', id);
    t.equal(answer.headers['x-outrider-flag'], 'NR', protocol);
    t.equal(answer.headers['x-outrider-detail'], 'unknown_port');
    if (protocol === 'gRPC') t.equal(decodeURIComponent(String(answer.headers['grpc-message'])), says);
    else t.match(answer, { status: 404, body: `${says}\n` });
    const [line] = await waitFor('the log', () => logOf(id).length > 0 && logOf(id));
    t.match(line, { error: 'NO_ROUTE', detail: 'unknown_port', destination_service: 'gone.default' });
  }
});

/** A head that cannot be read: HTTP/1.1 alone can answer, and the mesh gives the id. */
const HTTP1_ALONE = [
  { code: 'DOWNSTREAM_PROTOCOL', detail: 'host_repeated', text: 'GET / HTTP/1.1\r\nHost: full\r\nHost: b\r\n\r\n' },
  {
    code: 'HEAD_TOO_LARGE',
    detail: 'head_too_large',
    text: `GET / HTTP/1.1\r\nHost: full\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`,
  },
  {
    code: 'URI_TOO_LONG',
    detail: 'request_line_too_long',
    text: `GET /${'y'.repeat(20_000)} HTTP/1.1\r\nHost: full\r\n\r\n`,
  },
  {
    code: 'NOT_IMPLEMENTED',
    detail: 'unknown_transfer_coding',
    text: 'POST / HTTP/1.1\r\nHost: full\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  },
] as const;

for (const { code, detail, text } of HTTP1_ALONE)
  t.test(`${code} over HTTP/1.1`, async t => {
    const kind = ERRORS[code];
    const labels = { reporter: 'source', destination_service: 'unknown', response_flags: kind.flag };
    const counted = async () => total(await pair.a.samples(), 'outrider_requests_total', labels);
    const before = await counted();
    const socket = net.connect(pair.outbound, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(text);
    let answer = '';
    for await (const chunk of socket.setEncoding('latin1')) answer += chunk;
    t.match(answer, new RegExp(`^HTTP/1.1 ${kind.http} `));
    t.match(answer, new RegExp(`x-outrider-flag: ${kind.flag}\r\n`, 'i'));
    t.match(answer, new RegExp(`x-outrider-detail: ${detail}\r\n`, 'i'));
    t.ok(answer.endsWith(`${kind.sentence}\n`), kind.sentence);
    const id = /^x-request-id: (\S+)\r$/im.exec(answer)?.[1] ?? 'none';
    const [line] = await waitFor('the log', () => logOf(id).length > 0 && logOf(id));
    t.match(line, { error: code, detail, flags: kind.flag, status: kind.http, direction: 'outbound' });
    t.equal((await counted()) - before, 1);
  });

t.test('DOWNSTREAM_RESET: who goes away is in the log and in the metrics', async t => {
  const kind = ERRORS.DOWNSTREAM_RESET;
  const labels = { reporter: 'source', destination_service: 'gone-away', response_flags: kind.flag };
  const counted = async () => total(await pair.a.samples(), 'outrider_requests_total', labels);
  for (const grpc of [false, true]) {
    const id = `left-${grpc}`;
    const [before, heard] = [await counted(), silent.heard()];
    const stream = http2.request({
      ':method': 'POST',
      ':path': '/a.B/C',
      ':authority': 'gone-away',
      'x-request-id': id,
      ...(grpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
    });
    stream.on('error', () => undefined);
    stream.end();
    await waitFor('the app to have it', () => silent.heard() > heard);
    stream.close(constants.NGHTTP2_CANCEL);
    await waitFor('the metric', async () => (await counted()) > before);
    const [line] = await waitFor('the log', () => logOf(id).length > 0 && logOf(id));
    t.match(line, { error: 'DOWNSTREAM_RESET', flags: kind.flag });
  }
  const left = new AbortController();
  const url = `http://127.0.0.1:${pair.outbound}/`;
  const [before, heard] = [await counted(), silent.heard()];
  const asked = request(url, { headers: { host: 'gone-away', 'x-request-id': 'left-http1' }, signal: left.signal });
  await waitFor('the app to have it', () => silent.heard() > heard);
  left.abort();
  await t.rejects(asked);
  await waitFor('the metric', async () => (await counted()) > before);
  const [line] = await waitFor('the log', () => logOf('left-http1').length > 0 && logOf('left-http1'));
  t.match(line, { error: 'DOWNSTREAM_RESET', flags: kind.flag, status: 0 }, 'there was no answer');
});
