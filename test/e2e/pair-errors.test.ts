/** Answers that the mesh makes itself: status, flag, detail, request id and a sentence; and who may be at an endpoint's address. */
import * as grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { type Dispatcher, request } from 'undici';
import type { EndpointView, ServiceView, Snapshot } from '../../api/snapshot.ts';
import { unary } from '../support/grpc-calls.ts';
import { echoClient, message } from '../support/grpc-echo.ts';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { sendRaw } from '../support/raw-http1.ts';
import { waitFor } from '../support/wait-for.ts';

const [deadApp = 0, deadSidecar = 0] = await freePorts(2);
const app = await startHttpApp();
const http = { port: 80, protocol: 'http', appPort: app.port } as const;

/** What is wrong with each service, beside `web`, with which nothing is. */
const atEndpoints = (service: ServiceView, change: Partial<EndpointView>): ServiceView => ({
  ...service,
  endpoints: service.endpoints.map(endpoint => ({ ...endpoint, ...change })),
});
const WRONG: Readonly<Record<string, (service: ServiceView) => ServiceView>> = {
  empty: service => ({ ...service, endpoints: [] }),
  'no-sidecar': service => atEndpoints(service, { address: `127.0.0.1:${deadSidecar}` }),
  impostor: service => atEndpoints(service, { identity: 'spiffe://mesh.local/ns/default/sa/other' }),
  hurried: service => ({
    ...service,
    ports: service.ports.map(port => ({ ...port, policy: { ...port.policy, requestTimeoutMs: 200 } })),
  }),
};
const breakServices = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  services: snapshot.services.map(service => WRONG[service.name]?.(service) ?? service),
});

const pair = await startSidecarPair({
  services: [
    { name: 'web', ...http },
    { name: 'no-app', ...http, appPort: deadApp },
    { name: 'no-app-grpc', port: 50051, protocol: 'grpc', appPort: deadApp },
    ...Object.keys(WRONG).map(name => ({ name, ...http })),
  ],
  editSnapshot: breakServices,
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
const url = `http://127.0.0.1:${pair.outbound}/`;
const ask = (host: string, path = ''): Promise<Dispatcher.ResponseData> => request(url + path, { headers: { host } });

/** What every answer of the mesh has, and the text of its sentence. */
const checkAnswer = async (t: Test, answer: Dispatcher.ResponseData, status: number, flag: string): Promise<string> => {
  const sentence = await answer.body.text();
  t.equal(answer.statusCode, status);
  t.equal(answer.headers['x-outrider-flag'], flag);
  t.match(answer.headers['x-outrider-detail'], /^[a-z0-9_]+$/, 'a machine-readable detail');
  t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/, 'a request id');
  t.match(sentence, /^[A-Z][^\n]+\.\n$/, 'one sentence');
  t.notOk(Object.keys(answer.headers).includes('outrider-processed'), 'the link keeps its own fields');
  return String(answer.headers['x-outrider-detail']);
};

t.test('a name that nobody has', async t => {
  t.equal(await checkAnswer(t, await ask('nobody'), 404, 'NR'), 'unknown_service');
  t.equal(await checkAnswer(t, await ask('web:81'), 404, 'NR'), 'unknown_port', 'a port that it lacks');
  const own = await request(url, { headers: { host: 'nobody', 'x-request-id': 'my-own-id' } });
  await own.body.dump();
  t.equal(own.headers['x-request-id'], 'my-own-id', "the caller's request id is kept");
  const head = await request(url, { method: 'HEAD', headers: { host: 'nobody' } });
  t.equal(head.statusCode, 404);
  t.equal(await head.body.text(), '', 'an answer to HEAD has no body');
});

t.test('every name of a service reaches it', async t => {
  for (const name of [
    'web',
    'web.default',
    'web.default.svc.cluster.local',
    'web.default.mesh',
    'web:80',
    'WEB',
    'web.default:80',
  ]) {
    const answer = await ask(name);
    t.same(await answer.body.json(), { hello: 'world' }, name);
  }
});

t.test('an app that does not listen', async t => {
  t.equal(await checkAnswer(t, await ask('no-app'), 503, 'UF'), 'connection_refused');
});

t.test('a sidecar that does not listen', async t => {
  t.equal(await checkAnswer(t, await ask('no-sidecar'), 503, 'UF'), 'connection_refused');
});

t.test('a service without any instance', async t => {
  await checkAnswer(t, await ask('empty'), 503, 'UH');
});

t.test("a valid certificate with another SPIFFE id at an endpoint's address", async t => {
  const before = app.seen.get('/') ?? 0;
  t.equal(await checkAnswer(t, await ask('impostor'), 503, 'UF'), 'unexpected_id');
  t.equal(app.seen.get('/') ?? 0, before, 'no byte of it reached the app');
});

t.test('an app that takes longer than the policy allows', async t => {
  const start = performance.now();
  await checkAnswer(t, await ask('hurried', 'hang'), 504, 'UT');
  t.ok(performance.now() - start < 1_500, 'in time');
  await waitFor('the app to be free of it', () => app.active === 0);
});

t.test('a request with two lengths', async t => {
  const before = app.seen.get('/count') ?? 0;
  const twoLengths =
    'POST /count HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  const text = await sendRaw(pair.outbound, twoLengths);
  t.match(text, /^HTTP\/1\.1 400 /);
  t.match(text, /\r\nx-outrider-flag: DPE\r\n/i);
  t.equal(app.seen.get('/count') ?? 0, before, 'it never reached the app');
});

t.test('for gRPC the same is a trailers-only answer', async t => {
  const client = echoClient(pair.outbound, 'no-app-grpc:50051');
  const { status, head } = await unary(client, message());
  t.equal(status.code, grpc.status.UNAVAILABLE);
  t.match(status.details, /^[A-Z].*\.$/, 'a sentence');
  t.same(status.metadata.get('x-outrider-flag'), ['UF']);
  t.same(status.metadata.get('x-outrider-detail'), ['connection_refused']);
  t.match(status.metadata.get('x-request-id')[0], /^[0-9a-f-]{36}$/);
  t.same(head.getMap(), {}, 'no head before the trailers');
  client.close();
});

t.test('and after all that the others go on', async t => {
  t.same(await (await ask('web')).body.json(), { hello: 'world' });
});
