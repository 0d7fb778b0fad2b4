/**
 * Slow readers cost a sidecar no more than its windows, and never slow anyone else. `OUTRIDER_SLOW_SECONDS` (3) is how long they stall;
 * CI runs it for longer.
 */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { request } from 'undici';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { total } from '../support/prometheus-text.ts';
import { RawConnection } from '../support/raw-http1.ts';
import { waitFor } from '../support/wait-for.ts';

const STALL_MS = Number(process.env.OUTRIDER_SLOW_SECONDS ?? '3') * 1_000;
const CLIENTS = 100;
const MIB = 1_048_576;
/** All that a sidecar may have buffered, as documented. */
const BUFFER_LIMIT = 64 * MIB;
/** What that may add to resident memory: as much again waits for the garbage collector, and the heap has its own slack. */
const GROWTH_LIMIT = 2 * BUFFER_LIMIT + 16 * MIB;

const app = await startHttpApp();
const pair = await startSidecarPair({ services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }] });
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
const sidecars = [pair.a, pair.b];
const idleBytes = sidecars.map(sidecar => sidecar.process.residentBytes());

/** By how much the one that grew more has grown. */
const growth = (): number =>
  Math.max(...sidecars.map((sidecar, i) => sidecar.process.residentBytes() - (idleBytes[i] ?? 0)));
const buffered = async (): Promise<number> => {
  const samples = await Promise.all(sidecars.map(sidecar => sidecar.samples()));
  return Math.max(...samples.map(of => total(of, 'outrider_buffered_bytes')));
};

const headers = { host: 'web' };
const url = `http://127.0.0.1:${pair.outbound}`;

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;

/** Milliseconds of each of `count` small requests, one after the other. */
const timeSmallRequests = async (count: number): Promise<number[]> => {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const answer = await request(`${url}/`, { headers });
    await answer.body.dump();
    times.push(performance.now() - start);
  }
  return times;
};

/** A client that reads at 1 kB/s what it asked for. */
const slowReader = async (): Promise<Socket> => {
  const socket = connect({ port: pair.outbound, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('GET /bytes?n=50000000 HTTP/1.1\r\nHost: web\r\n\r\n');
  socket.once('readable', () => {
    const timer = setInterval(() => socket.read(100), 100);
    socket.once('close', () => clearInterval(timer));
  });
  return socket;
};

t.test('100 clients that read 50 MB at 1 kB/s stay within the memory budget and in nobody’s way', async t => {
  const idle = percentile(await timeSmallRequests(50), 0.5);
  const readers = await Promise.all(Array.from({ length: CLIENTS }, slowReader));
  await waitFor('all of them to be served', () => (app.seen.get('/bytes') ?? 0) === CLIENTS);
  const end = performance.now() + STALL_MS;
  let grown = 0;
  let waiting = 0;
  while (performance.now() < end) {
    await pause(100);
    grown = Math.max(grown, growth());
    waiting = Math.max(waiting, await buffered());
  }
  t.ok(waiting <= BUFFER_LIMIT, `at most ${Math.round(waiting / MIB)} MiB buffered`);
  t.ok(grown <= GROWTH_LIMIT, `resident memory grows by at most ${Math.round(grown / MIB)} MiB`);
  const besides = await timeSmallRequests(50);
  t.ok(
    percentile(besides, 0.5) < idle + 500,
    `median beside them ${percentile(besides, 0.5).toFixed(1)} ms, alone ${idle.toFixed(1)} ms`,
  );
  t.ok(percentile(besides, 0.99) < 3_000, `p99 beside them ${percentile(besides, 0.99).toFixed(1)} ms`);
  t.equal(app.active, CLIENTS, 'all of them are still being served');
  for (const reader of readers) reader.destroy();
  await waitFor('the app to be free of them', () => app.active === 0);
  t.equal(app.aborted, CLIENTS, 'the app learns that each went away');
});

t.test('a reader that stops and goes on loses nothing', async t => {
  await using connection = new RawConnection(pair.outbound);
  connection.write('GET /bytes?n=20000000 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n');
  await connection.until(received => received.length > 0);
  connection.socket.pause();
  await pause(500);
  connection.socket.resume();
  const text = await connection.untilClosed(20_000);
  t.equal(text.length - text.indexOf('\r\n\r\n') - 4, 20_000_000);
});

t.test('an app that does not read pauses its own uploader and nobody else', async t => {
  const arrival = once(app.server, 'request') as Promise<[IncomingMessage]>;
  const uploader = connect({ port: pair.outbound, host: '127.0.0.1' });
  uploader.on('error', () => undefined);
  uploader.write('POST /hang HTTP/1.1\r\nHost: web\r\nContent-Length: 50000000\r\n\r\n');
  const [incoming] = await arrival;
  incoming.pause();
  for (let sent = 0; sent < 50_000_000; sent += 65_536) uploader.write(Buffer.alloc(65_536));
  await pause(500);
  t.ok(uploader.writableLength > 10_000_000, 'the uploader is held back');
  t.ok(percentile(await timeSmallRequests(30), 0.9) < 200, 'small requests are not');
  t.ok((await buffered()) <= BUFFER_LIMIT);
  uploader.destroy();
  incoming.resume();
  await waitFor('the app to learn of it', () => app.active === 0);
});
