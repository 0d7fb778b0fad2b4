/**
 * How fast a change reaches the sidecars that need it: `node test/load/push.ts [sidecars] [services] [changes]`, by default
 * 500 simulated sidecars, each subscribed to 10 of 2,000 services, and 100 changes. Prints one JSON object.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { loadCertificateAuthority } from '../../certs/certificate-authority.ts';
import { seededRandom } from '../../common/random.ts';
import { identityFrom, type SimulatedSidecar, simulateSidecar } from '../support/simulated-sidecar.ts';

const [sidecars = 500, services = 2_000, changes = 100] = process.argv.slice(2).map(Number);
const SUBSCRIPTIONS = 10;
const random = seededRandom(1);
const plane = fork(new URL('push-control-plane.ts', import.meta.url), [String(services)]);

interface Ready {
  readonly url: string;
  readonly trustBundlePem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}
interface Usage {
  readonly cpu: NodeJS.CpuUsage;
  readonly memory: number;
}
const reply = async <T>(): Promise<T> => (await once(plane, 'message'))[0] as T;
const ready = await reply<Ready>();
const usage = (): Promise<Usage> => {
  plane.send({ type: 'usage' });
  return reply<Usage>();
};
const authority = loadCertificateAuthority({ trustDomain: 'mesh.local', ...ready });
if ('reason' in authority) throw new Error(authority.sentence);

const beforeConnect = await usage();
const subscribers = new Map<number, Set<SimulatedSidecar>>();
const all: SimulatedSidecar[] = [];
const connect = async (i: number): Promise<void> => {
  const wanted = new Set<number>();
  while (wanted.size < SUBSCRIPTIONS) wanted.add(Math.floor(random() * services));
  const sidecar = await simulateSidecar({
    url: ready.url,
    tls: identityFrom(authority, ready.trustBundlePem, 'default', `client-${i}`),
    instance: `i${i}`,
    subscriptions: [...wanted].map(n => `service-${n}.default`),
  });
  if (sidecar.closedBecause !== '') throw new Error(sidecar.closedBecause);
  all.push(sidecar);
  for (const n of wanted) subscribers.set(n, (subscribers.get(n) ?? new Set()).add(sidecar));
};
const connectStart = performance.now();
for (let i = 0; i < sidecars; i += 20)
  await Promise.all(Array.from({ length: Math.min(20, sidecars - i) }, (_, k) => connect(i + k)));
const connectMs = performance.now() - connectStart;
// The objects of the sidecars themselves are written within a second or two.
await new Promise(resolve => setTimeout(resolve, 3_000));

const before = await usage();
const acks: number[] = [];
let wokenInVain = 0;
const changesStart = performance.now();
for (let attempt = 0; attempt < changes; attempt++) {
  const service = [...subscribers.keys()][Math.floor(random() * subscribers.size)] ?? 0;
  const needed = subscribers.get(service) ?? new Set();
  const start = performance.now();
  const confirmed = Promise.all(
    [...needed].map(
      sidecar =>
        new Promise<void>(resolve => {
          sidecar.onUpdate = () => {
            acks.push(performance.now() - start);
            resolve();
          };
        }),
    ),
  );
  const updates = all.reduce((sum, sidecar) => sum + sidecar.updates.length, 0);
  plane.send({ type: 'change', service, attempt });
  await Promise.all([confirmed, reply()]);
  // Whoever else is woken is woken within this.
  await new Promise(resolve => setTimeout(resolve, 20));
  wokenInVain += all.reduce((sum, sidecar) => sum + sidecar.updates.length, 0) - updates - needed.size;
}
const changesMs = performance.now() - changesStart;
const after = await usage();

const lost = all.find(sidecar => sidecar.closedBecause !== '');
if (lost) throw new Error(`a sidecar was disconnected: ${lost.closedBecause}`);
acks.sort((a, b) => a - b);
const percentile = (share: number): number => Math.round((acks[Math.ceil(acks.length * share) - 1] ?? 0) * 10) / 10;
const cpuMs = (a: Usage, b: Usage): number =>
  Math.round((b.cpu.user + b.cpu.system - a.cpu.user - a.cpu.system) / 1_000);
console.log(
  JSON.stringify({
    sidecars,
    services,
    changes,
    acks: acks.length,
    ackMs: { p50: percentile(0.5), p99: percentile(0.99), max: percentile(1) },
    wokenInVain,
    connect: { ms: Math.round(connectMs), cpuMs: cpuMs(beforeConnect, before) },
    change: { ms: Math.round(changesMs), cpuMs: cpuMs(before, after) },
    residentMb: { beforeConnect: Math.round(beforeConnect.memory / 1e6), after: Math.round(after.memory / 1e6) },
  }),
);
for (const sidecar of all) sidecar.stream.close('done');
plane.disconnect();
