/**
 * 10,000 idle keep-alive connections, and connections with 1,000 concurrent streams each: what they cost a pair of sidecars in memory and descriptors,
 * and that others are served beside them. `OUTRIDER_IDLE_CONNECTIONS` (10,000). Each connection is two descriptors here, one in the sidecar.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import net from 'node:net';
import t from 'tap';
import { request } from 'undici';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import type { Sidecar } from '../support/sidecar-process.ts';
import { waitFor } from '../support/wait-for.ts';

const WANTED = Number(process.env.OUTRIDER_IDLE_CONNECTIONS ?? 10_000);
const BATCH = 200;
const SESSIONS = 3;
const STREAMS = 1_000;
/** Documented: what one idle connection may cost a sidecar. */
const BYTES_PER_CONNECTION = 16_384;
const BYTES_PER_STREAM = 16_384;

t.setTimeout(180_000);

/** Open files that a process may have, `Max open files` of /proc. */
const openFileLimit = (): number => {
  const [, soft = '0'] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return Number(soft);
};
const descriptors = ({ process }: Sidecar): number => readdirSync(`/proc/${process.pid}/fd`).length;

const app = await startHttpApp();
const pair = await startSidecarPair({ services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }] });
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
const served = async (): Promise<number> => {
  const startMs = performance.now();
  const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'web' } });
  if ((await answer.body.text()) !== '{"hello":"world"}') throw new Error(`status ${answer.statusCode}`);
  return performance.now() - startMs;
};
const resident = (): number => pair.a.process.residentBytes();
const kib = (bytes: number): string => `${(bytes / 1_024).toFixed(1)} KiB`;

const skip = openFileLimit() < WANTED + 1_000 && `needs ${WANTED + 1_000} open files, and may have ${openFileLimit()}`;

t.test('a thousand concurrent streams on a connection are ordinary', async t => {
  for (let i = 0; i < 200; i++) await served();
  const before = resident();
  const sessions: ClientHttp2Session[] = [];
  const streams: ClientHttp2Stream[] = [];
  for (let s = 0; s < SESSIONS; s++) {
    const session = connectHttp2(`http://127.0.0.1:${pair.outbound}`);
    sessions.push(session);
    await once(session, 'remoteSettings');
    for (let i = 0; i < STREAMS; i++) {
      const stream = session.request({ ':path': '/hang', ':authority': 'web' });
      stream.on('error', () => undefined);
      streams.push(stream);
    }
  }
  await waitFor('all of them to be open', () => app.active === SESSIONS * STREAMS, 60_000);
  const each = (resident() - before) / (SESSIONS * STREAMS);
  t.comment(`${SESSIONS} connections of ${STREAMS} streams: ${kib(each)} each, ${descriptors(pair.a)} descriptors`);
  t.ok(each < BYTES_PER_STREAM, `${kib(each)} for each`);
  t.comment(`a request beside them takes ${(await served()).toFixed(1)} ms`);
  for (const session of sessions) session.destroy();
  await waitFor('the app to be free of them', () => app.active === 0, 30_000);
});

t.test('idle keep-alive connections are ordinary', { skip }, async t => {
  for (let i = 0; i < 200; i++) await served();
  const [before, filesBefore] = [resident(), descriptors(pair.a)];
  const sockets: net.Socket[] = [];
  for (let at = 0; at < WANTED; at += BATCH) {
    await Promise.all(
      Array.from({ length: Math.min(BATCH, WANTED - at) }, async () => {
        const socket = net.connect(pair.outbound, '127.0.0.1');
        sockets.push(socket);
        socket.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n');
        await once(socket, 'data');
      }),
    );
  }
  const each = (resident() - before) / WANTED;
  t.comment(`${WANTED} connections: ${kib(each)} each, ${descriptors(pair.a) - filesBefore} descriptors`);
  t.comment(`the other sidecar has ${descriptors(pair.b)} descriptors and ${kib(pair.b.process.residentBytes())}`);
  t.ok(descriptors(pair.a) - filesBefore > WANTED - 20, 'all of them are open');
  t.ok(each < BYTES_PER_CONNECTION, `${kib(each)} for each`);
  t.comment(`a request beside them takes ${(await served()).toFixed(1)} ms`);
  t.ok(
    sockets.every(socket => !socket.destroyed),
    'none was closed',
  );
  for (const socket of sockets) socket.destroy();
  await waitFor('the descriptors to be closed', () => descriptors(pair.a) < filesBefore + 50, 30_000);
});
