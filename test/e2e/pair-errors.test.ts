/** Answers that the mesh makes itself: status, flag, detail, request id and a sentence; and who may be at an endpoint's address. */
import * as grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { type Dispatcher, request } from 'undici';
import type { Snapshot } from '../../api/snapshot.ts';
import { unary } from '../support/grpc-calls.ts';
import { echoClient, message } from '../support/grpc-echo.ts';
import { startHttpApp } from '../support/http-app.ts';
import { type PairOptions, startSidecarPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { sendRaw } from '../support/raw-http1.ts';

const app = await startHttpApp();
t.teardown(() => app[Symbol.asyncDispose]());

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

const web = (appPort: number): PairOptions => ({ services: [{ name: 'web', port: 80, protocol: 'http', appPort }] });

t.test('a name that nobody has', async t => {
  await using pair = await startSidecarPair(web(app.port));
  const url = `http://127.0.0.1:${pair.outbound}/`;
  await checkAnswer(t, await request(url, { headers: { host: 'nobody' } }), 404, 'NR');
  await checkAnswer(t, await request(url, { headers: { host: 'web:81' } }), 404, 'NR');
  const own = await request(url, { headers: { host: 'nobody', 'x-request-id': 'my-own-id' } });
  await own.body.dump();
  t.equal(own.headers['x-request-id'], 'my-own-id', "the caller's request id is kept");
  const head = await request(url, { method: 'HEAD', headers: { host: 'nobody' } });
  t.equal(head.statusCode, 404);
  t.equal(await head.body.text(), '', 'an answer to HEAD has no body');
  const good = await request(url, { headers: { host: 'web' } });
  t.same(await good.body.json(), { hello: 'world' }, 'and the others go on');
  for (const name of ['web.default', 'web.default.svc.cluster.local', 'web.default.mesh', 'web:80', 'WEB']) {
    const answer = await request(url, { headers: { host: name } });
    await answer.body.dump();
    t.equal(answer.statusCode, 200, `${name} is a name of it`);
  }
});

t.test('an app that does not listen', async t => {
  await using pair = await startSidecarPair(web(await freePort()));
  const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'web' } });
  await checkAnswer(t, answer, 503, 'UF');
});

t.test('a sidecar that does not listen', async t => {
  const nowhere = await freePort();
  await using pair = await startSidecarPair({ ...web(app.port), editSnapshot: moveTo(`127.0.0.1:${nowhere}`) });
  const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'web' } });
  await checkAnswer(t, answer, 503, 'UF');
});

t.test('a service without any instance', async t => {
  const nobody = (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => ({ ...service, endpoints: [] })),
  });
  await using pair = await startSidecarPair({ ...web(app.port), editSnapshot: nobody });
  const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'web' } });
  await checkAnswer(t, answer, 503, 'UH');
});

t.test("a valid certificate with another SPIFFE id at an endpoint's address", async t => {
  const before = app.seen.get('/') ?? 0;
  const other = 'spiffe://mesh.local/ns/default/sa/other';
  const expectOther = (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => ({
      ...service,
      endpoints: service.endpoints.map(endpoint => ({ ...endpoint, identity: other })),
    })),
  });
  await using pair = await startSidecarPair({ ...web(app.port), editSnapshot: expectOther });
  const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'web' } });
  const detail = await checkAnswer(t, answer, 503, 'UF');
  t.equal(detail, 'unexpected_id');
  t.equal(app.seen.get('/') ?? 0, before, 'no byte of it reached the app');
});

t.test('an app that takes longer than the route allows', async t => {
  await using pair = await startSidecarPair({ ...web(app.port), policy: { requestTimeoutMs: 200 } });
  const start = performance.now();
  const answer = await request(`http://127.0.0.1:${pair.outbound}/hang`, { headers: { host: 'web' } });
  await checkAnswer(t, answer, 504, 'UT');
  t.ok(performance.now() - start < 1_500, 'in time');
});

t.test('a request with two lengths', async t => {
  await using pair = await startSidecarPair(web(app.port));
  const before = app.seen.get('/count') ?? 0;
  const twoLengths =
    'POST /count HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  const text = await sendRaw(pair.outbound, twoLengths);
  t.match(text, /^HTTP\/1\.1 400 /);
  t.match(text, /\r\nx-outrider-flag: DPE\r\n/i);
  t.equal(app.seen.get('/count') ?? 0, before, 'it never reached the app');
});

t.test('for gRPC the same is a trailers-only answer', async t => {
  const noApp = await freePort();
  await using pair = await startSidecarPair({
    services: [{ name: 'echo', port: 50051, protocol: 'grpc', appPort: noApp }],
  });
  const client = echoClient(pair.outbound, 'echo:50051');
  const { status, head } = await unary(client, message());
  t.equal(status.code, grpc.status.UNAVAILABLE);
  t.match(status.details, /^[A-Z].*\.$/, 'a sentence');
  t.same(status.metadata.get('x-outrider-flag'), ['UF']);
  t.match(status.metadata.get('x-outrider-detail')[0], /^[a-z0-9_]+$/);
  t.match(status.metadata.get('x-request-id')[0], /^[0-9a-f-]{36}$/);
  t.same(head.getMap(), {}, 'no head before the trailers');
  client.close();
});

/** Sends every endpoint to another address. */
function moveTo(address: string) {
  return (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    services: snapshot.services.map(service => ({
      ...service,
      endpoints: service.endpoints.map(endpoint => ({ ...endpoint, address })),
    })),
  });
}
