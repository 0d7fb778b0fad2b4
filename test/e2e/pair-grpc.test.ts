/** gRPC through a pair, with @grpc/grpc-js on both ends. */
import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import t from 'tap';
import { beginUnary, bidi, clientStream, openBidi, serverStream, unary } from '../support/grpc-calls.ts';
import { ECHO, echoClient, type Message, message, startEchoServer } from '../support/grpc-echo.ts';
import { patternBytes } from '../support/http-app.ts';
import { startPair } from '../support/pair.ts';
import { waitFor } from '../support/wait-for.ts';

const server = await startEchoServer();
const pair = await startPair({ services: [{ name: 'echo', port: 50051, protocol: 'grpc', appPort: server.port }] });
const onlyMesh = { skip: pair.kind !== 'sidecars' && 'HAProxy does not' };
const client = echoClient(pair.kind === 'sidecars' ? pair.outbound : pair.upstream('echo'), 'echo:50051');
t.teardown(async () => {
  client.close();
  await pair[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
const LARGE = patternBytes(5_000_000);
const payload = Buffer.from('hello');

t.test('a unary call reaches the server once', async t => {
  const { messages, status } = await unary(client, message({ payload }));
  t.equal(String(messages[0]?.payload), 'hello');
  t.equal(status.code, grpc.status.OK);
  t.equal(server.calls, 1);
});

t.test('metadata crosses in both directions, text and binary, repeated, and in trailers', async t => {
  const metadata = new grpc.Metadata();
  metadata.add('x-echo', 'one');
  metadata.add('x-echo', 'two');
  metadata.set('x-echo-bin', Buffer.from([0, 1, 254, 255]));
  const { head, status } = await unary(client, message(), { metadata });
  t.match(head.get('x-echo').join(', '), /^one, ?two$/);
  t.same(head.get('x-echo-bin'), [Buffer.from([0, 1, 254, 255])]);
  t.same(status.metadata.get('x-trailer'), ['end']);
  t.match(String(server.lastMetadata.get('user-agent')[0]), /grpc-node-js/);
});

t.test('a server stream gives every message in order', async t => {
  const { messages, status } = await serverStream(client, message({ payload, count: 1_000 }));
  t.same(
    messages.map(({ count }) => count),
    Array.from({ length: 1_000 }, (_, i) => i),
  );
  t.equal(status.code, grpc.status.OK);
});

t.test('a client stream is received whole', async t => {
  const { messages, status } = await clientStream(client, Array(500).fill(message({ payload })));
  t.equal(messages[0]?.count, 500);
  t.equal(String(messages[0]?.payload), 'hello'.repeat(500));
  t.equal(status.code, grpc.status.OK);
});

t.test('a two-way stream is a conversation: each answer before the next question', async t => {
  const call = openBidi(client);
  for (let i = 0; i < 20; i++) {
    call.write(message({ count: i }));
    t.equal(((await once(call, 'data')) as [Message])[0].count, i);
  }
  call.end();
  call.resume();
  t.equal(((await once(call, 'status')) as [grpc.StatusObject])[0].code, grpc.status.OK);
});

t.test('messages of 5 MB go up and down', async t => {
  const large = message({ payload: LARGE });
  t.ok((await unary(client, large)).messages[0]?.payload.equals(LARGE), 'unary');
  t.equal(
    (await clientStream(client, [message({ payload: LARGE.subarray(0, 4_000_000) })])).messages[0]?.payload.length,
    4_000_000,
  );
  const down = await serverStream(client, message({ payload: LARGE.subarray(0, 2_000_000), count: 3 }));
  t.equal(down.messages.length, 3);
});

t.test('two messages of 5 MB cross in both directions at once', onlyMesh, async t => {
  const large = message({ payload: LARGE });
  const { messages } = await bidi(client, [large, large]);
  t.ok(messages.length === 2 && messages[1]?.payload.equals(LARGE));
});

t.test('a failure has its code, its message in any script, its details and its metadata', async t => {
  for (const code of [grpc.status.NOT_FOUND, grpc.status.DATA_LOSS, grpc.status.UNAUTHENTICATED]) {
    const { status } = await unary(client, message({ failCode: code }));
    t.equal(status.code, code);
    t.equal(status.details, 'Fehler: größer als 100 %');
    t.same(status.metadata.get('grpc-status-details-bin'), [Buffer.from([8, code, 18, 2, 0xc3, 0xbc])]);
    t.same(status.metadata.get('x-detail'), ['text']);
  }
});

t.test('a stream that fails after some messages gives both', async t => {
  const { messages, status } = await serverStream(client, message({ count: 3, failCode: grpc.status.ABORTED }));
  t.equal(messages.length, 3);
  t.equal(status.code, grpc.status.ABORTED);
});

t.test('a method that the server lacks is UNIMPLEMENTED by the server', async t => {
  const { requestSerialize, responseDeserialize } = ECHO.Unary;
  const code = await new Promise(resolve => {
    client.makeUnaryRequest('/outrider.test.Echo/Missing', requestSerialize, responseDeserialize, message(), error =>
      resolve(error?.code),
    );
  });
  t.equal(code, grpc.status.UNIMPLEMENTED);
});

t.test('cancelling before the answer frees the server', async t => {
  const { calls, cancelled } = server;
  const call = beginUnary(client, message({ delayMs: 60_000 }));
  const status = new Promise<grpc.StatusObject>(resolve => call.once('status', resolve));
  await waitFor('the call to arrive', () => server.calls > calls);
  call.cancel();
  t.equal((await status).code, grpc.status.CANCELLED);
  await waitFor('the server to learn of it', () => server.cancelled === cancelled + 1);
});

t.test('cancelling after the first answer frees the server', async t => {
  const before = server.cancelled;
  const call = openBidi(client);
  call.on('error', () => undefined);
  call.write(message({ count: 1 }));
  await once(call, 'data');
  const status = new Promise<grpc.StatusObject>(resolve => call.once('status', resolve));
  call.cancel();
  t.equal((await status).code, grpc.status.CANCELLED);
  await waitFor('the server to learn of it', () => server.cancelled === before + 1);
});

t.test('a deadline reaches the server and ends the call in time', async t => {
  const before = performance.now();
  const { status } = await unary(client, message({ delayMs: 10_000 }), { deadlineMs: 200 });
  t.equal(status.code, grpc.status.DEADLINE_EXCEEDED);
  t.ok(performance.now() - before < 2_000, 'at once');
  t.match(String(server.lastMetadata.get('grpc-timeout')[0] ?? ''), /^\d+[mun]$|^$/);
});

t.test('a hundred calls at once share the connection and mix no answers', async t => {
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      unary(client, message({ payload: Buffer.from(`call ${i}`), delayMs: i % 7 })),
    ),
  );
  t.same(
    results.map(({ messages }) => String(messages[0]?.payload)),
    Array.from({ length: 100 }, (_, i) => `call ${i}`),
  );
});

t.test('the port of the upstream is as good as the outbound listener', async t => {
  const own = echoClient(pair.upstream('echo'), `127.0.0.1:${pair.upstream('echo')}`);
  const { messages } = await unary(own, message({ payload }));
  t.equal(String(messages[0]?.payload), 'hello');
  own.close();
});

t.test(
  'an unknown service is UNIMPLEMENTED by the mesh, in a trailers-only answer with its reason',
  onlyMesh,
  async t => {
    const stranger = echoClient(pair.outbound, 'nobody.nowhere');
    const { status, messages } = await unary(stranger, message());
    t.equal(messages.length, 0);
    t.equal(status.code, grpc.status.UNIMPLEMENTED);
    t.match(status.details, /^[A-Z].*\.$/, 'a sentence');
    t.same(status.metadata.get('x-outrider-flag'), ['NR']);
    stranger.close();
  },
);
