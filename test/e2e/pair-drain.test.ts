/** A sidecar that is told to end finishes what it began, takes nothing new, and exits with 0. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { request } from 'undici';
import { startHttpApp } from '../support/http-app.ts';
import { startSidecarPair } from '../support/pair.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

for (const which of ['a', 'b'] as const) {
  t.test(`SIGTERM to the sidecar of the ${which === 'a' ? 'caller' : 'app'}`, async t => {
    await using app = await startHttpApp();
    const env = { OUTRIDER_DRAIN: '10s' };
    await using pair = await startSidecarPair({
      services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }],
      env: { a: env, b: env },
    });
    const get = (path: string) => request(`http://127.0.0.1:${pair.outbound}${path}`, { headers: { host: 'web' } });
    const running = Array.from({ length: 20 }, () => get('/slow?ms=1000'));
    await waitFor('the app to have them', () => app.active === 20);
    const ending = pair[which];
    ending.process.signal('SIGTERM');
    await waitFor(
      'its port to close',
      async () => !(await connects(which === 'a' ? pair.outbound : pair.inbound)),
      900,
    );
    const answers = await Promise.all(running.map(async answer => (await answer).body.json()));
    t.same(answers, Array(20).fill({ slept: '1000' }), 'what had begun is answered');
    t.same(await ending.process.exited, { code: 0, signal: null });
    t.equal(app.aborted, 0);
  });
}

t.test('a client whose handshake breaks off does not hold up the end', async t => {
  await using app = await startHttpApp();
  await using pair = await startSidecarPair({
    services: [{ name: 'web', port: 80, protocol: 'http', appPort: app.port }],
    editSnapshot: snapshot => ({
      ...snapshot,
      services: snapshot.services.map(service => ({
        ...service,
        endpoints: service.endpoints.map(endpoint => ({
          ...endpoint,
          identity: 'spiffe://mesh.local/ns/default/sa/other',
        })),
      })),
    }),
  });
  const answer = await request(`http://127.0.0.1:${pair.outbound}/`, { headers: { host: 'web' } });
  await answer.body.dump();
  t.equal(answer.statusCode, 503, 'A leaves in the middle of the handshake');
  await pause(100);
  pair.b.process.signal('SIGTERM');
  const exit = await Promise.race([pair.b.process.exited, pause(3_000, 'still there')]);
  t.same(exit, { code: 0, signal: null });
});
