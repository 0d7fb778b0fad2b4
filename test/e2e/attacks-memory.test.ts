/** Readers that take nothing, so many that the answers which wait for them fill a sidecar. */
import t from 'tap';
import { request } from 'undici';
import { total } from '../support/prometheus-text.ts';
import { waitFor } from '../support/wait-for.ts';
import { headers, INITIAL_WINDOW_SIZE } from '../unit/sidecar/protocol/http2/wire.ts';
import { RawHttp2 } from './attacks/raw-http2.ts';
import { startStage } from './attacks/stage.ts';

const CLIENTS = 3;
const STREAMS = 500;
const LIMIT_BYTES = 64 * 1_048_576;
const BIG = [':method', 'GET', ':scheme', 'http', ':path', '/big', ':authority', 'app'];
const REFUSES = '"New work is refused: the sidecar is overloaded."';

t.test('memory near the limit', async t => {
  const stage = await startStage();
  const { app, pair } = stage;
  app.answers.set('/big', `HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`);
  const ask = async (): Promise<string> => {
    const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'app' } });
    await answer.body.dump();
    return `${answer.statusCode} ${String(answer.headers['x-outrider-flag'] ?? '')}`;
  };
  t.equal(await ask(), '200 ');
  const before = pair.a.process.residentBytes();
  const clients = Array.from({ length: CLIENTS }, () => new RawHttp2(pair.outbound, { [INITIAL_WINDOW_SIZE]: 0 }));
  for (const client of clients)
    client.write(Buffer.concat(Array.from({ length: STREAMS }, (_, i) => headers(2 * i + 1, BIG))));
  await waitFor('new work to be shed', async () => (await ask()) === '503 OM', 20_000);
  const samples = await pair.a.samples();
  const buffered = total(samples, 'outrider_buffered_bytes');
  t.ok(buffered < 1.5 * LIMIT_BYTES, `${Math.round(buffered / 1_048_576)} MiB buffered`);
  t.ok(total(samples, 'outrider_requests_total', { response_flags: 'OM' }) > 0, 'a metric counts what was shed');
  const refusing = await waitFor('the one that refuses to say so', () => {
    const those = [pair.a, pair.b].filter(each => each.process.stdout.includes(REFUSES));
    return those.length > 0 && those;
  });
  for (const sidecar of refusing) {
    t.equal(sidecar.process.stdout.split(REFUSES).length, 2, 'in one line');
    t.equal(total(await sidecar.samples(), 'outrider_overload_episodes_total', { resource: 'memory' }), 1);
  }
  const grown = pair.a.process.residentBytes() - before;
  t.ok(grown < 4 * LIMIT_BYTES, `memory is bounded: ${Math.round(grown / 1_048_576)} MiB more`);
  t.ok(
    clients.every(({ closed }) => !closed),
    'what runs goes on',
  );
  for (const client of clients) client[Symbol.dispose]();
  await waitFor('new work to be taken again', async () => (await ask()) === '200 ');
});
