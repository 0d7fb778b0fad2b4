/** Raw TCP through a pair, by the port of an upstream: whoever speaks first, half-closed, large, reset; counted and limited. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import { DEFAULT_POLICY } from '../../api/snapshot.ts';
import { patternBytes } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';
import { waitFor } from '../support/wait-for.ts';

const open = new Set<Socket>();
let resets = 0;
let heardAfterItsEnd = '';

/** Greets, gives back what it gets, and says goodbye when the caller has ended its side. Told to leave, it ends its own side first, and listens on. */
const serve = (socket: Socket): void => {
  open.add(socket);
  socket
    .on('close', () => open.delete(socket))
    .on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNRESET') resets++;
    });
  socket.write('hello\n');
  socket.on('data', chunk => {
    const word = chunk.toString('latin1', 0, 5);
    if (socket.writableEnded) heardAfterItsEnd += chunk.toString('latin1');
    else if (word === 'RESET') socket.resetAndDestroy();
    else if (word === 'LEAVE') socket.end('last words\n');
    else if (!socket.write(chunk)) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  });
  socket.on('end', () => socket.end('bye\n'));
};

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};
const servers = Array.from({ length: 3 }, () => createServer({ allowHalfOpen: true }, serve));
const [appPort = 0, countedPort = 0, limitedPort = 0] = await Promise.all(servers.map(listen));
const service = (name: string, port: number) => ({ name, port: 5432, protocol: 'tcp', appPort: port }) as const;
// More than the links of two workers, which count too.
const three = { ...DEFAULT_POLICY, circuitBreaker: { ...DEFAULT_POLICY.circuitBreaker, maxConnections: 3 } };
const pair = await startSidecarPair({
  services: [
    service('database', appPort),
    service('counted', countedPort),
    service('limited', limitedPort),
    service('nobody', await freePort()),
  ],
  editSnapshot: snapshot => ({
    ...snapshot,
    services: snapshot.services.map(each =>
      each.name === 'limited' ? { ...each, ports: each.ports.map(port => ({ ...port, policy: three })) } : each,
    ),
  }),
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  for (const socket of open) socket.destroy();
  for (const server of servers) server.close();
});
const begin = (name: string): Socket => connect({ port: pair.upstream(name), host: '127.0.0.1', allowHalfOpen: true });
const dial = async (name = 'database'): Promise<Socket> => {
  const socket = begin(name);
  await once(socket, 'connect');
  return socket;
};
const failureOf = (socket: Socket): Promise<unknown> => new Promise(resolve => socket.resume().once('error', resolve));

t.test('a server that speaks first is heard', async t => {
  const socket = await dial();
  t.equal(String((await once(socket, 'data'))[0]), 'hello\n');
  socket.destroy();
});

t.test('a connection that the caller half-closed still brings the rest', async t => {
  const socket = await dial();
  socket.end('question');
  t.equal(String(Buffer.concat((await socket.toArray()) as Buffer[])), 'hello\nquestionbye\n');
});

t.test('a connection that the server half-closed still takes the rest', async t => {
  const socket = await dial();
  let heard = '';
  socket.on('data', chunk => {
    heard += String(chunk);
  });
  socket.write('LEAVE');
  await once(socket, 'end');
  t.equal(heard, 'hello\nlast words\n');
  t.notOk(socket.closed, 'only its direction has ended');
  socket.write('this and ');
  socket.end('that');
  await waitFor('the rest', () => heardAfterItsEnd === 'this and that');
  await waitFor('the end', () => socket.closed);
  t.equal(heardAfterItsEnd, 'this and that');
});

t.test('5 MB there and back, byte for byte', async t => {
  const socket = await dial();
  const body = patternBytes(5_000_000);
  socket.end(body);
  const received = Buffer.concat((await socket.toArray()) as Buffer[]);
  t.ok(received.subarray(6, -4).equals(body), `${received.length} bytes`);
});

t.test('a reset by the app reaches the caller, and a caller that vanishes reaches the app', async t => {
  const first = await dial();
  const failure = failureOf(first);
  first.write('RESET');
  t.match(await failure, { code: 'ECONNRESET' });
  const second = await dial();
  await once(second, 'data');
  await waitFor('the app to have only this one', () => open.size === 1);
  second.destroy();
  await waitFor('the app to have none', () => open.size === 0);
});

t.test('a reset by the caller is a reset for the app', async t => {
  const before = resets;
  const socket = await dial();
  await once(socket, 'data');
  socket.resetAndDestroy();
  await waitFor('the app to hear of it', () => resets === before + 1);
  t.equal(resets, before + 1);
});

t.test('where nobody listens the caller is reset, as nothing else can be said', async t => {
  t.match(await failureOf(await dial('nobody')), { code: 'ECONNRESET' });
  const moved = total(await pair.a.samples(), 'outrider_tcp_sent_bytes_total', { destination_service: 'nobody' });
  t.equal(moved, 0, 'and no byte is counted');
});

t.test('both sidecars count the same connections and bytes, also while a connection lasts', async t => {
  const counted = async (): Promise<number[][]> => {
    const both = await Promise.all([pair.a.samples(), pair.b.samples()]);
    const names = ['connections_opened', 'connections_closed', 'received_bytes', 'sent_bytes'];
    return both.map((samples, i) => {
      const reporter = i === 0 ? 'source' : 'destination';
      const labels = { reporter, destination_service: 'counted' };
      const toPort = (name: string): number => total(samples, `outrider_tcp_${name}_total`, labels);
      return names.map(toPort);
    });
  };
  const before = await counted();
  const since = async (): Promise<number[][]> =>
    (await counted()).map((row, i) => row.map((value, j) => value - (before[i]?.[j] ?? 0)));
  const [one, other] = [await dial('counted'), await dial('counted')];
  for (const socket of [one, other]) await once(socket, 'data');
  one.write('12345');
  await once(one, 'data');
  t.same(await since(), [
    [2, 0, 5, 17],
    [2, 0, 5, 17],
  ]);
  other.end('x'.repeat(1_000));
  t.equal((await other.toArray()).join('').length, 1_004, 'and the goodbye');
  one.end();
  const expected = [2, 2, 1_005, 17 + 1_004 + 4];
  const ended = async () => (await since()).every(row => row[1] === 2);
  await waitFor('the end of both', ended);
  t.same(await since(), [expected, expected]);
});

t.test('a connection more than the policy allows is reset at once, and one that ends makes room', async t => {
  const refusing = async (): Promise<number> =>
    total(await pair.a.samples(), 'outrider_circuit_breaker_state', {
      destination_service: 'limited',
      limit: 'connections',
    });
  const [one, two, other] = [await dial('limited'), await dial('limited'), await dial('limited')];
  for (const socket of [one, two, other]) t.equal(String((await once(socket, 'data'))[0]), 'hello\n');
  t.equal(await refusing(), 1);
  // It may be reset before we hear that it stands.
  t.match(await failureOf(begin('limited')), { code: 'ECONNRESET' });
  await waitFor('a line in the access log', () =>
    /"flags":"UO","error":"OVERFLOW","detail":"connections"/.test(pair.a.process.stdout),
  );
  one.write('still here');
  t.equal(String((await once(one, 'data'))[0]), 'still here', 'those that were there stay');
  other.end();
  await waitFor('room', async () => (await refusing()) === 0);
  const next = await dial('limited');
  t.equal(String((await once(next, 'data'))[0]), 'hello\n');
  for (const socket of [one, two, next]) socket.destroy();
});
