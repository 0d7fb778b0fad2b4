import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { proxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { Fields, ResponseHead } from '../../../../../sidecar/protocol/head.ts';
import { TcpClientConnection } from '../../../../../sidecar/protocol/tcp/forward.ts';
import { TcpServerConnection, tcpRequestHead } from '../../../../../sidecar/protocol/tcp/serve.ts';
import { Account } from '../account.ts';
import { RecordedRequest, RecordedResponse } from '../http2/recorders.ts';

const CONNECTED = new ResponseHead(200, new Fields([]));

/** Waits for what the other side does to arrive, without sleeping for a time. */
const until = async (test: () => boolean): Promise<void> => {
  while (!test()) await new Promise(resolve => setImmediate(resolve));
};

/** Two ends of a connection over loopback. */
const socketPair = async (t: Test): Promise<{ readonly ours: net.Socket; readonly theirs: net.Socket }> => {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const theirs = net.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  theirs.on('error', () => undefined);
  const [[ours]] = await Promise.all([once(server, 'connection') as Promise<[net.Socket]>, once(theirs, 'connect')]);
  t.teardown(() => {
    ours.destroy();
    theirs.destroy();
    server.close();
  });
  return { ours, theirs };
};

const serve = async (t: Test, consume = true) => {
  const { ours, theirs } = await socketPair(t);
  const account = new Account();
  let request: RecordedRequest | undefined;
  let closed = 0;
  new TcpServerConnection(
    ours as unknown as Duplex,
    tcpRequestHead('db:5432'),
    account,
    (downstream, head, volatile, end) => {
      request = new RecordedRequest(downstream, head, volatile, end, consume);
      return request;
    },
    () => closed++,
  );
  let got = '';
  theirs.on('data', chunk => {
    got += chunk.toString('latin1');
  });
  return {
    ours,
    theirs,
    account,
    request: request as unknown as RecordedRequest,
    closed: () => closed,
    got: () => got,
  };
};

t.test('a raw connection is a CONNECT whose bodies are its bytes, and each direction ends by itself', async t => {
  const { theirs, account, request, closed, got } = await serve(t);
  t.match(request.head, { method: 'CONNECT', authority: 'db:5432' });
  request.downstream.sendHead(CONNECTED, [], false);
  theirs.end('question');
  await until(() => request.ended);
  t.equal(request.body, 'question');
  request.downstream.sendData(Buffer.from('ans'), false);
  request.downstream.sendData(Buffer.from('wer'), true);
  await until(() => closed() === 1);
  t.equal(got(), 'answer');
  t.equal(request.sent, 6);
  t.equal(request.reset, undefined);
  t.equal(account.held, 0);
});

t.test('a refusal resets the connection: raw TCP has no words for it', async t => {
  const { theirs, request, closed } = await serve(t);
  const failed = once(theirs, 'error');
  request.downstream.sendHead(new ResponseHead(503, new Fields([])), [], false);
  request.downstream.sendData(Buffer.from('words'), true);
  t.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  await until(() => closed() === 1);
  t.equal(request.reset, undefined, 'whoever resets hears no reset');
});

t.test('a reader that takes nothing stops the socket at its window, and gets the rest later', async t => {
  const { ours, theirs, account, request } = await serve(t, false);
  request.downstream.sendHead(CONNECTED, [], false);
  theirs.end(Buffer.alloc(2_000_000));
  await until(() => ours.isPaused());
  t.ok(account.held < 65_536 * 2 + 1, `${account.held} bytes are held`);
  while (!request.ended) {
    request.downstream.requestConsumed(account.held);
    await new Promise(resolve => setImmediate(resolve));
  }
  request.downstream.requestConsumed(account.held);
  t.equal(request.body.length, 2_000_000);
  t.equal(account.held, 0);
  request.downstream.sendData(Buffer.alloc(0), true);
});

t.test('a caller that resets is told of, and nothing stays held', async t => {
  const { theirs, account, request, closed } = await serve(t, false);
  theirs.write('x');
  await until(() => request.body === 'x');
  theirs.resetAndDestroy();
  await until(() => closed() === 1);
  t.match(request.reset, { code: 'DOWNSTREAM_RESET', detail: 'tcp_reset' });
  t.equal(account.held, 0);
  request.downstream.requestConsumed(1);
  t.equal(account.held, 0, 'what is consumed later counts for nothing');
});

t.test('bytes that the caller does not read give no credit, and all of it when the connection ends', async t => {
  const { theirs, request, closed } = await serve(t);
  theirs.pause();
  request.downstream.sendHead(CONNECTED, [], false);
  for (let i = 0; i < 200; i++) request.downstream.sendData(Buffer.alloc(65_536), i === 199);
  t.ok(request.sent < 200 * 65_536);
  theirs.destroy();
  await until(() => closed() === 1);
  t.equal(request.sent, 200 * 65_536, 'its source may forget it');
});

t.test('the client’s side: connected is a 200, then bytes both ways', async t => {
  const { ours, theirs } = await socketPair(t);
  const account = new Account();
  const response = new RecordedResponse();
  let closed = 0;
  const connection = new TcpClientConnection(ours as unknown as Duplex, response, account, () => closed++);
  response.upstream = connection;
  connection.begin();
  t.equal(response.status, 200);
  theirs.on('data', () => theirs.end('pong'));
  connection.sendData(Buffer.from('ping'), false);
  connection.sendTrailers();
  await until(() => closed === 1);
  t.match(response, { body: 'pong', ended: true, reset: undefined, sent: 4 });
  t.equal(account.held, 0);
});

t.test('the client’s side: a reset either way', async t => {
  for (const who of ['we', 'they']) {
    const { ours, theirs } = await socketPair(t);
    const response = new RecordedResponse();
    let closed = 0;
    const connection = new TcpClientConnection(ours as unknown as Duplex, response, new Account(), () => closed++);
    connection.begin();
    if (who === 'we') connection.reset(proxyError('DOWNSTREAM_RESET', 'abandoned'));
    else theirs.resetAndDestroy();
    await until(() => closed === 1);
    t.equal(response.reset?.code, who === 'we' ? undefined : 'UPSTREAM_RESET', who);
  }
});
