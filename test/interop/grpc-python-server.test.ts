/** A Node gRPC client (@grpc/grpc-js) against a Python gRPC server (python3-grpcio) through a pair. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import t from 'tap';
import { missing, PYTHON } from '../support/foreign-tools.ts';
import { bidi, clientStream, openBidi, serverStream, unary } from '../support/grpc-calls.ts';
import { echoClient, type Message, message } from '../support/grpc-echo.ts';
import { patternBytes } from '../support/http-app.ts';
import { startPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));

t.test('@grpc/grpc-js against python3-grpcio', { skip: missing('protoc', 'grpc_python_plugin') }, async t => {
  const generated = t.testdir({});
  const plugin = ['--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin', `--grpc_python_out=${generated}`];
  const compiled = await runToEnd('protoc', [`-I${FIXTURES}`, `--python_out=${generated}`, ...plugin, 'echo.proto']);
  t.equal(compiled.code, 0, compiled.stderr);
  const port = await freePort();
  await using server = new RunningProcess(PYTHON, [`${FIXTURES}/grpc_echo_server.py`, String(port), generated]);
  await waitFor(`the Python server ${server.pid}`, () => connects(port));
  await using pair = await startPair({ services: [{ name: 'echo', port: 50051, protocol: 'grpc', appPort: port }] });
  const client = echoClient(pair.kind === 'sidecars' ? pair.outbound : pair.upstream('echo'), 'echo:50051');
  const payload = Buffer.from('hello');
  const large = patternBytes(5_000_000);

  await t.test('unary, with metadata both ways', async t => {
    const metadata = new grpc.Metadata();
    metadata.add('x-echo', 'one');
    metadata.set('x-echo-bin', Buffer.from([0, 1, 254, 255]));
    const { messages, head, status } = await unary(client, message({ payload }), { metadata });
    t.equal(String(messages[0]?.payload), 'hello');
    t.same(head.get('x-echo'), ['one']);
    t.same(head.get('x-echo-bin'), [Buffer.from([0, 1, 254, 255])]);
    t.same(status.metadata.get('x-trailer'), ['end']);
  });
  await t.test('server streaming', async t => {
    const { messages, status } = await serverStream(client, message({ payload, count: 500 }));
    t.equal(messages.length, 500);
    t.equal(status.code, grpc.status.OK);
  });
  await t.test('client streaming', async t => {
    const { messages } = await clientStream(client, Array(200).fill(message({ payload })));
    t.equal(messages[0]?.count, 200);
  });
  await t.test('two-way streaming', async t => {
    const { messages, status } = await bidi(
      client,
      [1, 2, 3].map(count => message({ count })),
    );
    t.same(
      messages.map(({ count }) => count),
      [1, 2, 3],
    );
    t.equal(status.code, grpc.status.OK);
  });
  await t.test('5 MB messages', async t => {
    t.ok((await unary(client, message({ payload: large }))).messages[0]?.payload.equals(large));
  });
  await t.test('cancellation', async t => {
    const call = openBidi(client);
    call.on('error', () => undefined);
    call.write(message({ count: 7 }));
    t.equal(((await once(call, 'data')) as [Message])[0].count, 7);
    const status = new Promise<grpc.StatusObject>(resolve => call.once('status', resolve));
    call.cancel();
    t.equal((await status).code, grpc.status.CANCELLED);
  });
  await t.test('deadline', async t => {
    const { status } = await unary(client, message({ delayMs: 2_000 }), { deadlineMs: 200 });
    t.equal(status.code, grpc.status.DEADLINE_EXCEEDED);
  });
  await t.test('status, message and details', async t => {
    const { status } = await unary(client, message({ failCode: grpc.status.NOT_FOUND }));
    t.equal(status.code, grpc.status.NOT_FOUND);
    t.equal(status.details, 'Fehler: größer als 100 %');
    t.same(status.metadata.get('grpc-status-details-bin'), [Buffer.from([8, 5, 18, 2, 0xc3, 0xbc])]);
  });
  client.close();
});
