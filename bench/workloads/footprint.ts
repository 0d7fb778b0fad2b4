/** Workloads about what a sidecar costs besides CPU: memory and the time to start. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SMALL_BODY } from '../apps/app.ts';
import { control } from '../chain/control.ts';
import { runHttp1Load } from '../load/own-load.ts';
import { memoryOf } from '../usage/memory.ts';
import type { Run, Sample, Workload } from './workload.ts';

const OPEN_CONNECTIONS = 1_000;
const REQUESTS_PER_SECOND = 1_000;

/** Memory of A, which holds the thousand connections, shortly before the load ends. */
const measureMemory = async ({ app, children, pair, seconds, warmUpSeconds }: Run): Promise<Sample> => {
  await control(app, pair.port);
  const loadSeconds = seconds + warmUpSeconds;
  const load = runHttp1Load(children, {
    port: pair.port,
    connections: OPEN_CONNECTIONS,
    seconds: loadSeconds,
    variation: 'fixed',
    rate: REQUESTS_PER_SECOND,
    bodyBytes: SMALL_BODY.length,
  });
  // Connections are opened before the load's clock starts, so it is still running then.
  const [memory, { faults, requests, seconds: took }] = await Promise.all([
    sleep(loadSeconds * 900).then(() => memoryOf(pair.pids[0])),
    load,
  ]);
  const slow =
    requests / took < REQUESTS_PER_SECOND * 0.9 ? [`Only ${Math.round(requests / took)} requests/s were reached.`] : [];
  return { figures: { ...memory }, faults: [...faults, ...slow] };
};

const measureStart = async ({ app, pair }: Run): Promise<Sample> => {
  await control(app, pair.port);
  return { figures: { startMs: pair.startMs }, faults: [] };
};

export const FOOTPRINT_WORKLOADS: readonly Workload[] = [
  {
    name: 'memory',
    title: 'HTTP/1.1, 1,000 requests/s on 1,000 open connections: memory of A',
    protocol: 'http1',
    programs: ['nginx'],
    peers: ['ours', 'ours (built)', 'ours with 2 workers', 'haproxy', 'nginx', 'envoy', 'usual way'],
    freshPair: true,
    measure: measureMemory,
  },
  {
    name: 'start',
    title: 'From start of A to ready',
    protocol: 'http1',
    programs: ['nginx'],
    peers: ['ours', 'ours (built)', 'haproxy', 'nginx', 'envoy', 'usual way'],
    freshPair: true,
    measure: measureStart,
  },
];
