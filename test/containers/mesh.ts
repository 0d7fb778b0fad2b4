/** A request between containers, and how a sidecar starts and ends. */
import type { Test } from 'tap';
import type { PodmanEngine } from '../support/podman-engine.ts';
import { PodmanMesh } from '../support/podman-mesh.ts';
import { waitFor } from '../support/wait-for.ts';

/** Listens where only its sidecar reaches it. */
const SERVER = `
require('node:http').createServer((request, response) => response.end('seen: ' + request.headers['x-outrider-peer']))
  .listen(8080, '127.0.0.1')`;
const IDLE = 'setInterval(() => {}, 1e9)';
const STARTS = 10;
const BOUNDED_SECONDS = 5;

export const testMesh = async (t: Test, engine: PodmanEngine): Promise<void> => {
  const mesh = await PodmanMesh.start(engine);
  await mesh.app('web', 20, SERVER);
  await mesh.app('client', 21, IDLE);
  await Promise.all([mesh.sidecar('web', 20), mesh.sidecar('client', 21)]);

  const call = `require('node:http').get({ host: '127.0.0.1', port: 15001, headers: { host: 'web' } }, r => r.pipe(process.stdout))`;
  const ask = () => engine.podman('exec', 'client-app', 'node', '-e', call);
  await waitFor('an answer', async () => (await ask()).startsWith('seen: '), 20_000);
  t.equal(await ask(), 'seen: spiffe://mesh.local/ns/default/sa/client', 'the app sees who its peer is');

  const started: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const begin = performance.now();
    await engine.podman('stop', '--time', '20', 'web-sidecar');
    const seconds = (performance.now() - begin) / 1000;
    if (i === 0) {
      t.ok(seconds < BOUNDED_SECONDS + 1, `SIGTERM ends it within its drain time: ${seconds.toFixed(2)} s of 5 s`);
      t.equal(
        await engine.podman('inspect', '--format', '{{.State.ExitCode}}', 'web-sidecar'),
        '0',
        'with exit code 0',
      );
    }
    started.push(await mesh.sidecar('web', 20));
  }
  const sorted = started.map(seconds => Math.round(seconds * 1000)).sort((a, b) => a - b);
  t.comment(`start to ready, in ms: median ${sorted[STARTS / 2]}, of ${sorted.join(' ')}`);
};
