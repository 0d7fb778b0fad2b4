/** Each kind of check against real servers: node:http, node:http2, @grpc/grpc-js and bare sockets. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { ProbeView } from '../../api/snapshot.ts';
import { createProbe } from '../../sidecar/health/probe.ts';
import { waitFor } from '../support/wait-for.ts';

const listen = async (t: Test, server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
};

const http = (view: Partial<Extract<ProbeView, { kind: 'http' }>> = {}): ProbeView => ({
  kind: 'http',
  path: '/healthz',
  authority: '',
  headers: [],
  statuses: [[200, 299]],
  http2: false,
  ...view,
});

const ask = (port: number, view: ProbeView, signal = new AbortController().signal) =>
  createProbe(view, { host: '127.0.0.1', port })(signal);

t.test('HTTP: the status decides, and the request is as declared', async t => {
  let seen: { url?: string | undefined; method?: string | undefined; headers?: object } = {};
  let status = 200;
  const server = createServer((request, response) => {
    seen = { url: request.url, method: request.method, headers: request.headers };
    response.writeHead(status, { location: '/elsewhere' }).end('x'.repeat(100_000));
  });
  const port = await listen(t, server);
  t.same(await ask(port, http()), { ok: true, cause: 'status 200' });
  t.match(seen, {
    method: 'GET',
    url: '/healthz',
    headers: { host: `127.0.0.1:${port}`, connection: 'close', 'user-agent': 'outrider-health-check' },
  });
  const headers = [{ name: 'X-Key', value: 'k' }];
  await ask(port, http({ path: '/ready?deep=1', authority: 'web.internal', headers }));
  t.match(seen, { url: '/ready?deep=1', headers: { host: 'web.internal', 'x-key': 'k' } });
  status = 302;
  t.same(await ask(port, http()), { ok: false, cause: 'status 302' }, 'redirects are not followed');
  t.ok((await ask(port, http({ statuses: [[302, 302]] }))).ok);
  status = 503;
  t.same(await ask(port, http()), { ok: false, cause: 'status 503' });
  t.ok(
    (
      await ask(
        port,
        http({
          statuses: [
            [200, 299],
            [500, 599],
          ],
        }),
      )
    ).ok,
  );
  await waitFor(
    'every connection to be closed',
    () =>
      new Promise<boolean>(resolve => {
        server.getConnections((_, open) => resolve(open === 0));
      }),
  );
});

t.test('HTTP over HTTP/2, where the port speaks that', async t => {
  const server = http2.createServer((_, response) => response.writeHead(204).end());
  const port = await listen(t, server as unknown as Server);
  t.same(await ask(port, http({ http2: true })), { ok: true, cause: 'status 204' });
  t.notOk((await ask(port, http())).ok);
});

t.test('gRPC: SERVING is healthy, and nothing else', async t => {
  const statuses: Record<string, number> = { '': 1, 'shop.Cart': 2 };
  const asked: string[] = [];
  const server = new grpc.Server();
  const same = (bytes: Buffer): Buffer => bytes;
  const method = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService(
    { Check: method },
    {
      Check: (call: { request: Buffer }, done: grpc.sendUnaryData<Buffer>) => {
        const service = call.request.subarray(2).toString();
        asked.push(service);
        const status = statuses[service];
        if (status === undefined) done({ code: grpc.status.NOT_FOUND, details: 'unknown service' });
        else done(null, Buffer.from([0x08, status]));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  t.teardown(() => server.forceShutdown());
  t.same(await ask(port, { kind: 'grpc', service: '' }), { ok: true, cause: 'SERVING' });
  t.same(await ask(port, { kind: 'grpc', service: 'shop.Cart' }), { ok: false, cause: 'NOT_SERVING' });
  t.same(await ask(port, { kind: 'grpc', service: 'nobody' }), { ok: false, cause: 'grpc-status 5' });
  t.same(asked, ['', 'shop.Cart', 'nobody']);
  statuses[''] = 0;
  t.same(await ask(port, { kind: 'grpc', service: '' }), { ok: false, cause: 'UNKNOWN' });
});

t.test('gRPC: a server without the health service, and one that speaks no gRPC, are not healthy', async t => {
  const bare = new grpc.Server();
  const port = await new Promise<number>(resolve => {
    bare.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
  });
  t.teardown(() => bare.forceShutdown());
  t.same(await ask(port, { kind: 'grpc', service: '' }), { ok: false, cause: 'grpc-status 12' });
  const web = http2.createServer((_, response) => response.writeHead(404).end());
  const webPort = await listen(t, web as unknown as Server);
  t.same(await ask(webPort, { kind: 'grpc', service: '' }), { ok: false, cause: 'status 404' });
  const long = http2.createServer((_, response) => response.writeHead(200).end('x'.repeat(5_000)));
  const longPort = await listen(t, long as unknown as Server);
  t.match(await ask(longPort, { kind: 'grpc', service: '' }), { ok: false, cause: /no answer to a health check/ });
  const one = createServer((_, response) => response.end());
  t.notOk((await ask(await listen(t, one), { kind: 'grpc', service: '' })).ok, 'HTTP/1');
});

t.test('TCP: who accepts a connection is healthy', async t => {
  const server = net.createServer(socket => socket.on('error', () => {}).resume());
  const port = await listen(t, server);
  t.same(await ask(port, { kind: 'tcp' }), { ok: true, cause: 'connected' });
});

t.test('where nothing listens, every kind of check fails and says why', async t => {
  const server = net.createServer();
  const port = await listen(t, server);
  server.close();
  await once(server, 'close');
  const refused = { ok: false, cause: 'connection refused' };
  t.same(await ask(port, { kind: 'tcp' }), refused);
  t.same(await ask(port, http()), refused);
  t.same(await ask(port, http({ http2: true })), refused);
  t.same(await ask(port, { kind: 'grpc', service: '' }), refused);
});

t.test('a check that is given up lets go of its connection', async t => {
  let open = 0;
  const server = net.createServer(socket => {
    open++;
    socket
      .on('error', () => {})
      .on('close', () => open--)
      .resume();
  });
  const port = await listen(t, server);
  for (const view of [http(), http({ http2: true }), { kind: 'grpc', service: '' } as const]) {
    const abort = new AbortController();
    const result = ask(port, view, abort.signal);
    await waitFor('the connection', () => open === 1);
    await pause(10);
    abort.abort();
    t.notOk((await result).ok, view.kind);
    await waitFor('it to be closed', () => open === 0);
  }
});

t.test('a server that closes in the middle of its answer is not healthy', async t => {
  const server = net.createServer(socket => {
    socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'));
  });
  const port = await listen(t, server);
  t.notOk((await ask(port, http())).ok);
});
