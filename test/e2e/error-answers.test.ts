/**
 * Each answer that the mesh makes itself, over HTTP/1.1, HTTP/2 and gRPC: status, flag, detail, sentence, request id, metric and log agree with
 * `ERRORS`, which docs/errors.md lists.
 */
import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import t from 'tap';
import { request } from 'undici';
import type { AppProtocol, Snapshot } from '../../api/snapshot.ts';
import { DETAILS } from '../../sidecar/errors/details.ts';
import { ERRORS, type ErrorCode } from '../../sidecar/errors/proxy-error.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';
import { waitFor } from '../support/wait-for.ts';

/** A server that does `what` with each connection that says something. */
const rawServer = async (what: (socket: Socket) => void): Promise<{ port: number; close: () => void }> => {
  const sockets = new Set<Socket>();
  const server = net.createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => what(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};

const silent = await rawServer(() => undefined);
const closing = await rawServer(socket => socket.destroy());
const rubbish = await rawServer(socket => socket.end('NONSENSE\r\n\r\n and more of it, longer than a frame header'));
const nowhere = await freePort();

const apps = {
  gone: silent.port,
  refused: silent.port,
  imposter: silent.port,
  full: silent.port,
  slow: silent.port,
  idle: silent.port,
};
const services = [...Object.entries({ ...apps, dead: nowhere, closing: closing.port, rubbish: rubbish.port })].map(
  ([name, appPort]) => ({ name, port: 80, protocol: 'http' as AppProtocol, appPort }),
);

const edit = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  services: snapshot.services.map(service => {
    const endpoints = service.endpoints.map(endpoint => ({
      ...endpoint,
      ...(service.name === 'refused' && { address: `127.0.0.1:${nowhere}` }),
      ...(service.name === 'imposter' && { identity: 'spiffe://mesh.local/ns/default/sa/other' }),
    }));
    const ports = service.ports.map(port => ({
      ...port,
      policy: {
        ...port.policy,
        outlierDetection: null,
        ...(service.name === 'full' && { circuitBreaker: { ...port.policy.circuitBreaker, maxRequests: 0 } }),
        ...(service.name === 'slow' && { requestTimeoutMs: 50 }),
        ...(service.name === 'idle' && { idleTimeoutMs: 80 }),
      },
    }));
    return { ...service, ports, endpoints: service.name === 'gone' ? [] : endpoints };
  }),
});

const pair = await startSidecarPair({ services, editSnapshot: edit });
const http2 = connectHttp2(`http://127.0.0.1:${pair.outbound}`);
t.teardown(async () => {
  http2.destroy();
  await pair[Symbol.asyncDispose]();
  for (const server of [silent, closing, rubbish]) server.close();
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

const CASES: readonly {
  readonly code: ErrorCode;
  readonly host: string;
  readonly detail: string | RegExp;
  readonly byApp?: true;
}[] = [
  { code: 'NO_ROUTE', host: 'nobody', detail: 'unknown_service' },
  { code: 'NO_HEALTHY_UPSTREAM', host: 'gone', detail: 'no_endpoint' },
  { code: 'OVERFLOW', host: 'full', detail: 'max_requests' },
  { code: 'CONNECT_FAILED', host: 'refused', detail: /^connect/ },
  { code: 'PEER_IDENTITY', host: 'imposter', detail: 'unexpected_id' },
  { code: 'DEADLINE_EXCEEDED', host: 'slow', detail: 'request_timeout' },
  { code: 'IDLE_TIMEOUT', host: 'idle', detail: 'idle_timeout' },
  { code: 'CONNECT_FAILED', host: 'dead', detail: 'connection_refused' },
  { code: 'UPSTREAM_CLOSED', host: 'closing', detail: /^connection_/ },
  { code: 'UPSTREAM_PROTOCOL', host: 'rubbish', detail: /^bad_status_line$|^http2_/ },
];

for (const { code, host, detail } of CASES) {
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
  const says = 'gone.default has no such port. It has 80 (http).';
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

t.test('a request that breaks the rules of its protocol', async t => {
  const cases = [
    ['DOWNSTREAM_PROTOCOL', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['HEAD_TOO_LARGE', `GET / HTTP/1.1\r\nHost: full\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`],
    ['URI_TOO_LONG', `GET /${'y'.repeat(20_000)} HTTP/1.1\r\nHost: full\r\n\r\n`],
  ] as const;
  for (const [code, text] of cases) {
    const socket = net.connect(pair.outbound, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(text);
    let answer = '';
    for await (const chunk of socket.setEncoding('latin1')) answer += chunk;
    const kind = ERRORS[code];
    t.match(answer, new RegExp(`^HTTP/1.1 ${kind.http} `), code);
    t.match(answer, new RegExp(`x-outrider-flag: ${kind.flag}\r\n`, 'i'));
    t.match(answer, /x-outrider-detail: [a-z_]+\r\n/i);
    t.ok(answer.endsWith(`${kind.sentence}\n`), kind.sentence);
  }
});
