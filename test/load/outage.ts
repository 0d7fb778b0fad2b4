/**
 * The control plane is away under load: nobody notices, a sidecar that is restarted meanwhile serves from what it last knew, and on return everything
 * is in sync. `OUTRIDER_SECONDS` away: 60 by default.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { freePort } from '../support/ports.ts';
import { RestClient } from '../support/rest-client.ts';
import { RunningMesh } from '../support/running-mesh.ts';
import { failures, SteadyTraffic } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

const SECONDS = Number(process.env.OUTRIDER_SECONDS ?? 60);

t.setTimeout(120_000 + SECONDS * 2_000);

t.test('a minute without the control plane', async t => {
  await using mesh = await RunningMesh.start();
  const folder = mkdtempSync(join(tmpdir(), 'outage-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // As in a container: an address that stays, a folder that stays.
  const env = {
    ...(await mesh.credentials('app')),
    OUTRIDER_INBOUND: `127.0.0.1:${await freePort()}`,
    OUTRIDER_STATE_DIR: folder,
  };
  const [stays, restarts, caller] = [
    await mesh.run({ service: 'app' }),
    await mesh.run({ service: 'app', env }),
    mesh.runCaller('client'),
  ];
  await Promise.all([stays, restarts, caller].map(unit => unit.ready()));
  const traffic = new SteadyTraffic({ proxy: await caller.outbound(), host: 'app' });
  t.teardown(() => traffic.stop());
  await waitFor('both to serve', async () => (await stays.served()) > 0 && (await restarts.served()) > 0);

  await mesh.plane.kill();
  const awayAtMs = performance.now();
  await pause(SECONDS * 250);
  restarts.process.signal('SIGTERM');
  await restarts.process.exited;
  const restarted = mesh.again(restarts);
  await restarted.ready();
  t.comment(`ready again, without a control plane, ${Math.round(performance.now() - awayAtMs)} ms after it went`);
  await waitFor('it to serve', async () => (await restarted.served()) > 0, 30_000);
  t.comment(`and serving after ${Math.round(performance.now() - awayAtMs)} ms`);
  await pause(Math.max(0, SECONDS * 1_000 - (performance.now() - awayAtMs)));
  t.ok((await restarted.served()) > 50, 'it has served all the while');

  await mesh.plane.start();
  await using rest = new RestClient(mesh.plane.restUrl, mesh.plane.dataDir);
  const states = async () => {
    const { body } = await rest.call('GET', '/apis/outrider.mesh/v1/namespaces/default/sidecars');
    return (body.items ?? []).map(({ status }) => String(status?.state));
  };
  await waitFor('all three to be in sync', async () => (await states()).join() === 'Synced,Synced,Synced', 30_000);
  const fresh = await mesh.run({ service: 'app' });
  await fresh.ready();
  await waitFor('an instance that came later to serve', async () => (await fresh.served()) > 0);
  const outcomes = await traffic.stop();
  t.same(failures(outcomes), [], 'no request failed');
  t.comment(`${outcomes.length} requests`);
});
