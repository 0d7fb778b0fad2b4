/** What is idle for longer than the policy allows is ended, and what moves stays: HTTP/1.1, HTTP/2 and raw TCP through a pair. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import net, { type AddressInfo, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { request } from 'undici';
import { startSidecarPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { waitFor } from '../support/wait-for.ts';

const IDLE_MS = 600;

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

/** `/silent` never answers; `/stuck` begins and says no more; `/ticks` says something twelve times, over twice the idle timeout. */
const app = createServer((incoming, response) => {
  if (incoming.url === '/silent') return;
  response.write('begun ');
  if (incoming.url === '/stuck') return;
  let left = 12;
  const ticks = setInterval(() => {
    response.write('tick ');
    if (--left > 0) return;
    clearInterval(ticks);
    response.end('done');
  }, IDLE_MS / 6);
});
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
app.on('upgrade', (_, socket) => socket.on('error', () => undefined).write(SWITCHING));
/** Gives back what it gets. */
let closed = 0;
const echo = net.createServer(socket => {
  socket
    .on('error', () => undefined)
    .on('close', () => closed++)
    .pipe(socket);
});
const [appPort, echoPort] = [await listen(app), await listen(echo)];
const pair = await startSidecarPair({
  services: [
    { name: 'app', port: 80, protocol: 'http', appPort },
    { name: 'echo', port: 7, protocol: 'tcp', appPort: echoPort },
  ],
  policy: { idleTimeoutMs: IDLE_MS },
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  app.closeAllConnections();
  for (const server of [app, echo]) server.close();
});
const get = (path: string) => request(`http://127.0.0.1:${pair.outbound}${path}`, { headers: { host: 'app' } });

t.test('a request that nobody answers gets 504, and an answer that comes to a standstill breaks off', async t => {
  const startMs = performance.now();
  const [silent, stuck] = [get('/silent'), get('/stuck')];
  const answer = await silent;
  t.ok(performance.now() - startMs >= IDLE_MS, 'not early');
  t.equal(answer.statusCode, 504);
  t.match(answer.headers, { 'x-outrider-flag': 'SI', 'x-outrider-detail': 'idle_timeout' });
  t.match(await answer.body.text(), 'Nothing came or went');
  const half = await stuck;
  t.equal(half.statusCode, 200);
  await t.rejects(half.body.text());
});

t.test('a stream that moves now and then goes on for as long as it likes', async t => {
  const answer = await get('/ticks');
  t.match(await answer.body.text(), /^begun (tick ){12}done$/);
});

t.test('over HTTP/2 the idle stream is reset, and its connection stays', async t => {
  const client = connectHttp2(`http://127.0.0.1:${pair.outbound}`);
  t.teardown(() => client.destroy());
  const idle = client.request({ ':path': '/stuck', ':authority': 'app' });
  const busy = client.request({ ':path': '/ticks', ':authority': 'app' });
  await once(idle.resume(), 'close');
  t.equal(idle.rstCode, constants.NGHTTP2_CANCEL);
  let text = '';
  for await (const chunk of busy.setEncoding('utf8')) text += chunk;
  t.match(text, /done$/);
});

t.test('a tunnel that an Upgrade made is broken off too', async t => {
  const socket = net.connect(pair.outbound, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /upgrade HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const [head] = await once(socket, 'data');
  t.match(String(head), /^HTTP\/1\.1 101 /);
  const startMs = performance.now();
  await waitFor('its end', () => socket.closed);
  t.ok(performance.now() - startMs >= IDLE_MS * 0.9, 'not early');
});

t.test(
  'a TCP connection without a byte ends, in order for the caller, and the app learns of it; one that is used stays',
  async t => {
    const dial = async () => {
      const socket = net.connect(pair.upstream('echo'), '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
    const [idle, used] = [await dial(), await dial()];
    const ticks = setInterval(() => used.write('x'), IDLE_MS / 6);
    let usedClosed = false;
    used.resume().once('close', () => {
      usedClosed = true;
    });
    idle.write('hello');
    idle.resume();
    await once(idle, 'end');
    await waitFor('the other end', () => closed === 1);
    await pause(IDLE_MS);
    t.notOk(usedClosed);
    clearInterval(ticks);
    used.destroy();
  },
);

t.test('all of them are counted, and say why', async t => {
  const samples = await pair.a.samples();
  const of = (service: string) => total(samples, 'outrider_idle_timeouts_total', { destination_service: service });
  t.equal(of('app'), 4);
  t.equal(of('echo'), 1);
  t.match(pair.a.process.stdout, /"flags":"SI","error":"IDLE_TIMEOUT","detail":"idle_timeout"/);
});
