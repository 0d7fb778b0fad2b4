/** Requests that are copied to another service, judged by what both apps saw and by the metrics. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { request } from 'undici';
import { startSidecarPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { waitFor } from '../support/wait-for.ts';

const start = async (answer: (incoming: IncomingMessage, response: ServerResponse) => void): Promise<number> => {
  const server = createServer(answer).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};
const read = (incoming: IncomingMessage, then: (bytes: number) => void): void => {
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => (bytes += chunk.length)).on('end', () => then(bytes));
};

const copies: string[] = [];
const app = await start((incoming, response) => read(incoming, bytes => response.end(`app ${bytes}`)));
const mirror = await start((incoming, response) => {
  if (incoming.url === '/stuck') return;
  read(incoming, bytes => {
    copies.push(`${incoming.method} ${incoming.url} ${String(incoming.headers['x-tenant'])} ${bytes}`);
    response.writeHead(500).end('dropped'.repeat(100_000));
  });
});
const pair = await startSidecarPair({
  services: [
    { name: 'app', port: 80, protocol: 'http', appPort: app },
    { name: 'mirror', port: 80, protocol: 'http', appPort: mirror },
  ],
  editSnapshot: snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => ({
      ...service,
      ports: service.ports.map(port => ({
        ...port,
        routes:
          service.name === 'mirror'
            ? []
            : [
                {
                  name: 'default/copy/0',
                  matches: [],
                  filters: [],
                  backends: [{ service: 'app.default', port: 80, weight: 1, filters: [] }],
                  requestTimeoutMs: 2_000,
                  attemptTimeoutMs: 0,
                  retry: null,
                  mirror: { service: 'mirror.default', port: 80, percent: 100 },
                },
              ],
      })),
    })),
  }),
});
t.teardown(() => pair[Symbol.asyncDispose]());
const url = `http://127.0.0.1:${pair.upstream('app')}`;
const send = async (path: string, bytes: number): Promise<string> => {
  const { statusCode, body } = await request(`${url}${path}`, {
    method: 'POST',
    headers: { 'x-tenant': 'blue' },
    body: 'x'.repeat(bytes),
  });
  return `${statusCode} ${await body.text()}`;
};
const buffered = async (): Promise<number> => total(await pair.a.samples(), 'outrider_buffered_bytes');

t.test('the mirror gets the same request, and the caller only the answer of the destination', async t => {
  for (const bytes of [0, 10, 60_000]) t.equal(await send(`/${bytes}`, bytes), `200 app ${bytes}`);
  await waitFor('the copies', () => copies.length === 3);
  t.same(copies.sort(), ['POST /0 blue 0', 'POST /10 blue 10', 'POST /60000 blue 60000']);
  await waitFor('both to be counted', async () => {
    const samples = await pair.a.samples();
    const count = (destination_service: string, response_code: string): number =>
      total(samples, 'outrider_requests_total', { destination_service, response_code });
    return count('app', '200') === 3 && count('mirror', '500') === 3;
  });
});

t.test('a mirror that reads nothing slows nobody down and fills no memory', async t => {
  t.equal(await send('/stuck', 5_000_000), '200 app 5000000');
  await waitFor('release', async () => (await buffered()) === 0);
  t.equal(await send('/10', 10), '200 app 10');
});

t.test('a mirror that is gone is not noticed by callers', async t => {
  await waitFor('the copies', () => copies.length >= 4);
  t.equal(await send('/stuck', 10), '200 app 10');
  await waitFor(
    'the time limit of the rule',
    async () =>
      total(await pair.a.samples(), 'outrider_requests_total', {
        destination_service: 'mirror',
        response_code: '504',
      }) === 1,
  );
});
