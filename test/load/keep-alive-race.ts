/**
 * A server that closes idle connections at random after 1 to 5 s, 5 ms away from its sidecar, so that requests and FINs cross on the way. Which
 * callers notice? `OUTRIDER_SECONDS`: 60 by default.
 */
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Pool } from 'undici';
import { startSidecarPair } from '../support/pair.ts';

const SECONDS = Number(process.env.OUTRIDER_SECONDS ?? 60);
/** Each with connections of its own, so that many grow old at the same time. */
const SERVICES = 20;
const BURST = 10;
const DELAY_MS = 5;
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST'] as const;
type Method = (typeof METHODS)[number];

t.setTimeout(SECONDS * 1_000 + 60_000);

const seen: Record<string, number> = {};
let closed = 0;

/** HTTP/1.1 by hand: the timer decides, whatever a request that is on its way may want. */
const serve = (socket: Socket): void => {
  let timer: NodeJS.Timeout | undefined;
  let text = '';
  socket.on('error', () => {});
  socket.on('data', chunk => {
    clearTimeout(timer);
    text += chunk.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const [, length = '0'] = /content-length: (\d+)/i.exec(text.slice(0, end)) ?? [];
      if (text.length < end + 4 + Number(length)) return;
      const [method = ''] = text.split(' ', 1);
      seen[method] = (seen[method] ?? 0) + 1;
      text = text.slice(end + 4 + Number(length));
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${method === 'HEAD' ? '' : 'ok'}`);
      timer = setTimeout(
        () => {
          closed++;
          socket.destroy();
        },
        1_000 + 4_000 * Math.random(),
      );
    }
  });
};

/** The way to the server: everything takes a while, its FIN too. */
const relayTo = (port: number) =>
  net.createServer({ allowHalfOpen: true, noDelay: true }, near => {
    const far = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const later = (what: () => void): void => void setTimeout(what, DELAY_MS);
      from.on('data', chunk => later(() => to.writable && to.write(chunk)));
      from.on('end', () => later(() => to.end()));
      from.on('error', () => later(() => to.resetAndDestroy()));
    }
  });

const listen = async (server: net.Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

t.test(`a server that closes idle connections at random, for ${SECONDS} s`, async t => {
  const server = net.createServer(serve);
  const port = await listen(server);
  const relays = Array.from({ length: SERVICES }, () => relayTo(port));
  const appPorts = await Promise.all(relays.map(listen));
  await using pair = await startSidecarPair({
    services: appPorts.map((appPort, i) => ({ name: `app-${i}`, port: 80, protocol: 'http', appPort })),
  });
  const client = new Pool(`http://127.0.0.1:${pair.outbound}`, { connections: SERVICES * BURST });
  const answers: { method: Method; status: number; flag: string; detail: string }[] = [];
  const end = performance.now() + SECONDS * 1_000;
  const call = async (host: string): Promise<void> => {
    const method = METHODS[Math.floor(Math.random() * METHODS.length)] as Method;
    const body = method === 'POST' ? 'hello' : null;
    const answer = await client.request({ method, path: '/', headers: { host }, body });
    await answer.body.dump();
    const { 'x-outrider-flag': flag = '', 'x-outrider-detail': detail = '' } = answer.headers;
    answers.push({ method, status: answer.statusCode, flag: String(flag), detail: String(detail) });
  };
  // Many at once, so that many connections are open; then a pause as long as the server's patience.
  const bursts = async (_: unknown, i: number): Promise<void> => {
    while (performance.now() < end) {
      await Promise.all(Array.from({ length: BURST }, () => call(`app-${i}`)));
      await pause(500 + 5_000 * Math.random());
    }
  };
  await Promise.all(Array.from({ length: SERVICES }, bursts));
  await client.close();
  for (const each of [server, ...relays]) each.close();

  const count = (method: Method): number => answers.filter(each => each.method === method).length;
  const bad = answers.filter(({ status }) => status !== 200);
  t.comment(`${answers.length} requests, ${closed} idle connections closed, ${bad.length} POSTs met one as it closed`);
  t.comment(`seen by the server: ${JSON.stringify(seen)}`);
  t.ok(closed > SECONDS, 'the server closes connections');
  for (const method of ['GET', 'HEAD', 'OPTIONS'] as const) {
    t.same(
      bad.filter(each => each.method === method),
      [],
      `none of ${count(method)} ${method} fails`,
    );
  }
  for (const each of bad) t.match(each, { status: 503, flag: 'UC', detail: /^[a-z_]+$/ });
  t.ok(bad.length <= count('POST') / 100, `${bad.length} of ${count('POST')} POSTs are told why`);
  t.ok((seen.POST ?? 0) <= count('POST'), 'no POST is sent twice');
});
