/**
 * One hour's life of a sidecar in ten minutes (`OUTRIDER_SOAK_MINUTES`, 10): every protocol at once, instances and policies that come and go, clients
 * that vanish, and a new certificate each minute, with a real control plane. No error that has no explanation, flat memory, no descriptor left open.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Pool } from 'undici';
import { ControlPlaneProcess } from '../support/control-plane-process.ts';
import { echoClient } from '../support/grpc-echo.ts';
import { freePorts } from '../support/ports.ts';
import { runToEnd } from '../support/processes.ts';
import { total } from '../support/prometheus-text.ts';
import { RestClient } from '../support/rest-client.ts';
import { Sidecar } from '../support/sidecar-process.ts';
import { waitFor } from '../support/wait-for.ts';
import { startApps } from './soak/apps.ts';
import { CONVERSATIONS, type Target } from './soak/callers.ts';

const MINUTES = Number(process.env.OUTRIDER_SOAK_MINUTES ?? 10);
const WARM_UP_MS = 60_000;
/** Half of it is between two certificates. */
const CERTIFICATE_LIFETIME = '2m';
const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const MIB = 1_048_576;

t.setTimeout((MINUTES + 4) * 60_000);

const directory = mkdtempSync(join(tmpdir(), 'soak-'));
const plane = new ControlPlaneProcess(join(directory, 'plane'), ['--certificate-lifetime', CERTIFICATE_LIFETIME]);
await plane.start();
const apps = await startApps();
const sidecars: Sidecar[] = [];
t.teardown(async () => {
  await Promise.all(sidecars.map(({ process }) => process.stop()));
  await apps[Symbol.asyncDispose]();
  await plane[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const startSidecar = async (name: string, service: string, appPorts: string): Promise<Sidecar> => {
  const environment = { OUTRIDER_SERVER: plane.restUrl, OUTRIDER_DATA_DIR: plane.dataDir, NODE_OPTIONS: undefined };
  const words = [PROGRAM, 'token', '--service-account', service];
  const token = await runToEnd(process.execPath, words, { env: environment });
  const stateDir = join(directory, name);
  mkdirSync(stateDir);
  const tokenFile = join(directory, `${name}.token`);
  writeFileSync(tokenFile, token.stdout, { mode: 0o600 });
  const [inbound = 0, outbound = 0, admin = 0, metrics = 0] = await freePorts(4);
  const sidecar = new Sidecar(name, {
    service,
    stateDir,
    ports: { inbound, outbound, admin, metrics },
    env: {
      OUTRIDER_CONTROL_PLANE: plane.channelUrl,
      OUTRIDER_CA_FILE: join(plane.dataDir, 'trust-bundle.pem'),
      OUTRIDER_TOKEN_FILE: tokenFile,
      OUTRIDER_APP_PORTS: appPorts,
      OUTRIDER_ADVERTISE: `127.0.0.1:${inbound}`,
      OUTRIDER_DRAIN: '6s',
      OUTRIDER_ACCESS_LOG: 'errors',
    },
  });
  sidecars.push(sidecar);
  await sidecar.ready(60_000);
  return sidecar;
};
const startInstance = (name: string): Promise<Sidecar> =>
  startSidecar(name, 'soak', `http=${apps.http},grpc=${apps.grpc},tcp=${apps.tcp}`);

const caller = await startSidecar('caller', 'client', '');
const instance = await startInstance('instance');
const measured = { caller, instance };
const outbound = caller.ports.outbound;

/** A conversation that failed: which, when and how. */
const errors: string[] = [];
let conversations = 0;

/** All conversations at their pace for `ms`; resolves when the last is over. */
const talk = async (ms: number): Promise<void> => {
  const pool = new Pool(`http://127.0.0.1:${outbound}`, { connections: 20 });
  const grpcClient = echoClient(outbound, `soak:${apps.grpc}`);
  const target: Target = { outbound, pool, grpcClient, tcp: `soak:${apps.tcp}` };
  const startMs = performance.now();
  const begun = new Map<string, number>();
  const open = new Set<Promise<void>>();
  for (let elapsedMs = 0; elapsedMs < ms; elapsedMs = performance.now() - startMs) {
    for (const [name, { perSecond, run }] of Object.entries(CONVERSATIONS)) {
      const count = begun.get(name) ?? 0;
      if (count >= (elapsedMs / 1_000) * perSecond) continue;
      begun.set(name, count + 1);
      conversations++;
      const one: Promise<void> = run(target)
        .catch((error: Error) => {
          errors.push(`${Math.round(elapsedMs / 1_000)} s ${name}: ${error.message}`);
        })
        .finally(() => open.delete(one));
      open.add(one);
    }
    await pause(5);
  }
  await Promise.all(open);
  await pool.close();
  grpcClient.close();
};

/** Instances come and go, in order, and policies change, until `signal`. */
const churnInstances = async (signal: AbortSignal): Promise<number> => {
  let count = 0;
  while (!signal.aborted) {
    const other = await startInstance(`other-${count++}`);
    await pause(10_000, undefined, { signal }).catch(() => undefined);
    await other.process.stop(15_000);
    sidecars.splice(sidecars.indexOf(other), 1);
  }
  return count;
};
const churnPolicies = async (signal: AbortSignal): Promise<number> => {
  await using rest = new RestClient(plane.restUrl, plane.dataDir);
  const path = '/apis/outrider.mesh/v1/namespaces/default/trafficpolicies';
  let count = 0;
  while (!signal.aborted) {
    const body = {
      apiVersion: 'outrider.mesh/v1',
      kind: 'TrafficPolicy',
      metadata: { name: 'soak' },
      spec: {
        targetRefs: [{ group: '', kind: 'Service', name: 'soak' }],
        circuitBreaker: { maxRequests: 5_000 + count },
        loadBalancer: { policy: count % 2 === 0 ? 'RoundRobin' : 'PeakEwma' },
      },
    };
    const made = await rest.call('POST', path, { body });
    if (made.status !== 201) throw new Error(JSON.stringify(made.body));
    count++;
    await pause(2_000);
    await rest.call('DELETE', `${path}/soak`);
    await pause(1_000);
  }
  return count;
};

const descriptors = (sidecar: Sidecar): number => readdirSync(`/proc/${sidecar.process.pid}/fd`).length;

/** Resident memory of the next 30 s, in MiB: the median of a look each second, because it moves with the garbage collector. */
const resident = async (sidecar: Sidecar): Promise<number> => {
  const seen: number[] = [];
  for (let i = 0; i < 30; i++) {
    seen.push(sidecar.process.residentBytes() / MIB);
    await pause(1_000);
  }
  return seen.sort((a, b) => a - b)[15] ?? 0;
};
const residentOfBoth = async (): Promise<Record<string, number>> => {
  const [first, second] = await Promise.all(Object.values(measured).map(resident));
  return { caller: first ?? 0, instance: second ?? 0 };
};
const openDescriptors = (): Record<string, number> => ({
  caller: descriptors(caller),
  instance: descriptors(instance),
});
const certificateEnd = async (sidecar: Sidecar): Promise<number> =>
  total(await sidecar.samples(), 'outrider_certificate_expiry_timestamp_seconds');

t.test('an hour in minutes', async t => {
  await talk(2_000);
  await pause(3_000);
  const [idle, firstExpiry] = [openDescriptors(), await certificateEnd(caller)];
  errors.length = 0;
  const stop = new AbortController();
  const churn = [churnInstances(stop.signal), churnPolicies(stop.signal)] as const;
  const talking = talk(WARM_UP_MS + MINUTES * 60_000);
  await pause(WARM_UP_MS);
  const before = await residentOfBoth();
  t.comment(`after the first minute ${JSON.stringify(before)} MiB, ${JSON.stringify(openDescriptors())} descriptors`);
  for (let left = MINUTES * 60_000 - 62_000; left > 0; left -= 60_000) {
    await pause(Math.min(left, 60_000));
    const rows = Object.values(measured).map(({ process }) => Math.round(process.residentBytes() / MIB));
    t.comment(`${rows.join(' and ')} MiB, ${JSON.stringify(openDescriptors())} descriptors, ${errors.length} errors`);
  }
  const after = await residentOfBoth();
  await talking;
  stop.abort();
  const [instances, policies] = await Promise.all(churn);
  t.comment(`${conversations} conversations, ${instances} instances came and went, ${policies} policies`);
  t.same(errors.slice(0, 20), [], 'no error');
  for (const name of ['caller', 'instance'] as const) {
    const growth = (after[name] ?? 0) / (before[name] ?? 1);
    t.ok(growth < 1.1, `${name}: ${before[name]?.toFixed(1)} MiB, at the end ${after[name]?.toFixed(1)} MiB`);
  }
  const none = await waitFor(
    'every descriptor to be closed',
    () => {
      const now = openDescriptors();
      return Object.entries(now).every(([name, count]) => count <= (idle[name] ?? 0) + 4) && now;
    },
    90_000,
  ).catch(openDescriptors);
  t.ok((none.caller ?? 0) <= (idle.caller ?? 0) + 4, `caller: ${idle.caller} descriptors, at the end ${none.caller}`);
  t.ok(
    (none.instance ?? 0) <= (idle.instance ?? 0) + 4,
    `instance: ${idle.instance} descriptors, at the end ${none.instance}`,
  );
  t.ok((await certificateEnd(caller)) > firstExpiry, 'certificates were renewed');
  for (const { process } of Object.values(measured)) t.equal(process.exit, undefined, 'it still runs');
});
