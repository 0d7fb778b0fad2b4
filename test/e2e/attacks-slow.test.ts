/**
 * Peers that begin and do not go on, through a pair of sidecars. `OUTRIDER_SLOWLORIS_SECONDS` (0) is how long it waits for the time limits that are
 * longer than a test should take; CI waits for 80 s, in which all but that of idle connections (an hour) are over.
 */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { RawConnection } from '../support/raw-http1.ts';
import { waitFor } from '../support/wait-for.ts';
import { END_STREAM, frame, headers, INITIAL_WINDOW_SIZE } from '../unit/sidecar/protocol/http2/wire.ts';
import { RawHttp2 } from './attacks/raw-http2.ts';
import { startStage } from './attacks/stage.ts';

const WAIT_MS = Number(process.env.OUTRIDER_SLOWLORIS_SECONDS ?? 0) * 1_000;
const IDLE_MS = 2_500;
const PEERS = 100;
/** What so many of each kind may add to a sidecar's memory: 64 KiB for each slow reader, and connections. */
const FLAT_BYTES = 64 * 1_048_576;

const stage = await startStage({ idleTimeoutMs: IDLE_MS });
const { app, pair } = stage;
app.answers.set('/big', `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`);
t.setTimeout(60_000 + WAIT_MS);

const BIG = [':method', 'GET', ':scheme', 'http', ':path', '/big', ':authority', 'app'];
const peers = (text: string): RawConnection[] =>
  Array.from({ length: PEERS }, () => {
    const connection = new RawConnection(pair.outbound);
    connection.write(text);
    return connection;
  });

t.test('slowloris on head, body and between requests, slow readers, half-open sockets', async t => {
  const memory = (): number => Math.max(...[pair.a, pair.b].map(({ process }) => process.residentBytes()));
  await stage.othersAreServed(t);
  const before = memory();
  const beginMs = performance.now();
  const silent = peers('');
  const halfHeads = peers('GET /attack HTTP/1.1\r\nHost: app\r\nX: ');
  const halfBodies = peers('POST /attack HTTP/1.1\r\nHost: app\r\nContent-Length: 100\r\n\r\nhalf');
  const between = peers('GET / HTTP/1.1\r\nHost: app\r\n\r\n');
  // Clients that end their side at once, in the middle of a request: nothing can come of it any more.
  const halfOpen = peers('POST /attack HTTP/1.1\r\nHost: app\r\nContent-Length: 100\r\n\r\nhalf');
  for (const { socket } of halfOpen) socket.end();
  const begun = headers(1, BIG);
  const halfFrame = new RawHttp2(pair.outbound);
  halfFrame.write(begun.subarray(0, 20));
  const halfBlock = new RawHttp2(pair.outbound);
  halfBlock.write(frame('HEADERS', END_STREAM, 1, begun.subarray(9, 20)));
  const readers = new RawHttp2(pair.outbound, { [INITIAL_WINDOW_SIZE]: 0 });
  for (let i = 0; i < PEERS; i++) readers.write(headers(2 * i + 1, BIG));
  const drip = setInterval(() => {
    for (const peer of halfHeads) peer.write('x');
  }, 500);
  t.teardown(() => {
    clearInterval(drip);
    for (const { socket } of [silent, halfHeads, halfBodies, between, halfOpen].flat()) socket.destroy();
    for (const client of [halfFrame, halfBlock, readers]) client[Symbol.dispose]();
  });

  await stage.othersAreServed(t, 'all of them');
  await waitFor('half-open sockets to be closed', () => halfOpen.every(({ closed }) => closed));
  t.ok(
    halfOpen.every(({ received }) => received === ''),
    'at once, and not by the idle timeout',
  );
  await waitFor('stalled answers to be reset', () => readers.reset(2 * PEERS - 1) !== undefined);
  t.equal(readers.reset(1), 8, 'a reader that takes nothing is cancelled after the idle timeout');
  await waitFor('stalled bodies to end', () => halfBodies.every(({ closed }) => closed));
  for (const { received } of halfBodies) t.match(received, /^HTTP\/1\.1 504 [\s\S]*x-outrider-detail: idle_timeout/i);
  t.ok(performance.now() - beginMs >= IDLE_MS);
  await stage.othersAreServed(t, 'those that are left');
  const grown = memory() - before;
  t.ok(grown < FLAT_BYTES, `memory is flat: ${(grown / 1_048_576).toFixed(1)} MiB more`);
  t.ok(
    between.every(({ closed }) => !closed),
    'idle connections stay',
  );
  if (WAIT_MS === 0) return;
  await pause(WAIT_MS - (performance.now() - beginMs));
  t.ok(
    silent.every(({ closed }) => closed),
    'who says nothing is let go',
  );
  for (const { received } of halfHeads) t.match(received, /^HTTP\/1\.1 408 [\s\S]*request_head_timeout/i);
  for (const client of [halfFrame, halfBlock]) t.equal(client.goaway, 11, 'HTTP/2 that does not go on is ended');
  await stage.othersAreServed(t, 'what is left');
});
