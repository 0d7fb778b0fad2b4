import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { manualClock, systemClock } from '../../../../common/clock.ts';
import type { ProxyError } from '../../../../sidecar/errors/proxy-error.ts';
import { CircuitBreaker } from '../../../../sidecar/resilience/circuit-breaker.ts';
import { dialTcp } from '../../../../sidecar/upstream/dial-tcp.ts';
import { TcpDialer } from '../../../../sidecar/upstream/tcp-dialer.ts';
import type { Dial } from '../../../../sidecar/upstream/transport.ts';
import { account, FakeAttempt, limits, manualDial } from './pools.fixture.ts';

const outcome = (dial: Dial): Promise<{ error: ProxyError | undefined; connected: boolean }> =>
  new Promise(resolve =>
    dial((error, socket) => {
      socket?.destroy();
      resolve({ error, connected: socket !== undefined });
    }),
  );

t.test('a dial connects, or says why not', async t => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  t.same(await outcome(dialTcp('127.0.0.1', port, () => 1_000, systemClock)), { error: undefined, connected: true });
  server.close();
  await once(server, 'close');
  const refused = await outcome(dialTcp('127.0.0.1', port, () => 1_000, systemClock));
  t.match(refused.error, {
    code: 'CONNECT_FAILED',
    detail: 'connection_refused',
    cause: 'ECONNREFUSED',
    retry: 'not-sent',
  });
  const nobody = await outcome(dialTcp('nobody.invalid', 80, () => 5_000, systemClock));
  t.match(nobody.error, { code: 'CONNECT_FAILED', detail: 'name_not_resolved' });
});

t.test('a dial that takes too long is given up, and one that is cancelled never calls back', async t => {
  const clock = manualClock();
  let timeoutMs = 100;
  const dial = dialTcp('127.0.0.1', 1, () => timeoutMs, clock);
  const first = outcome(dial);
  clock.advance(100);
  t.match((await first).error, { code: 'CONNECT_FAILED', detail: 'connect_timeout' });
  timeoutMs = 200;
  const cancel = dial(() => t.fail('it was cancelled'));
  cancel();
  t.equal(clock.pending, 0, 'no timer is left');
});

const start = (maxConnections = 10) => {
  const dials = manualDial();
  const breaker = new CircuitBreaker(limits({ maxConnections }));
  const dialer = new TcpDialer({ dial: dials.dial, breaker, account: account() });
  const send = (): FakeAttempt => {
    const attempt = new FakeAttempt();
    dialer.send(attempt);
    return attempt;
  };
  return { dials, breaker, dialer, send, open: () => breaker.count('connections') };
};

t.test('each raw connection has one of its own', t => {
  const { dials, dialer, send } = start();
  const [one, two] = [send(), send()];
  t.equal(dials.made, 2);
  dials.connect();
  t.same(one.said, ['forwarded', 'head 200']);
  dials.fail();
  t.same(two.said, ['failed CONNECT_FAILED connection_refused']);
  t.equal(dialer.connections, 1);
  t.end();
});

t.test('raw connections are limited, and each gives its place back however it ends', async t => {
  const { dials, dialer, send, open } = start(1);
  send();
  t.same(send().said, ['failed OVERFLOW connections']);
  const socket = dials.connect();
  socket.destroy();
  await once(socket, 'close');
  t.equal(open(), 0);
  t.equal(dialer.connections, 0);
  send();
  dials.fail();
  t.equal(open(), 0);
  const gone = send();
  dialer.forget(gone);
  dialer.forget(gone);
  t.equal(dials.cancelled, 1);
  t.equal(open(), 0);
  const waiting = send();
  dialer.drain();
  t.same(waiting.said, ['failed CONNECT_FAILED endpoint_gone']);
  t.equal(open(), 0);
  send();
  const last = dials.connect();
  dialer.close();
  await once(last, 'close');
  t.equal(open(), 0);
});
