/** Two workers against one, and how evenly they share the work. */
import { runWrk } from '../load/wrk.ts';
import { threadTimesUs } from '../usage/cpu.ts';
import { measureLoad } from './measure-load.ts';
import type { Run, Sample, Workload } from './workload.ts';

const measureRequests = measureLoad(({ children, pair }, seconds) =>
  runWrk(children, { port: pair.port, connections: 128, seconds }),
);

/** CPU time of the second busiest thread of A, as a share of the two busiest. With one worker that is one of Node's helper threads. */
const measureWorkers = async (run: Run): Promise<Sample> => {
  const [a] = run.pair.pids;
  const before = threadTimesUs(a);
  const sample = await measureRequests(run);
  const [busiest = 0, second = 0] = [...threadTimesUs(a)]
    .map(([thread, us]) => us - (before.get(thread) ?? 0))
    .sort((x, y) => y - x);
  return { ...sample, figures: { ...sample.figures, lesserWorkerShare: second / (busiest + second) } };
};

export const WORKER_WORKLOADS: readonly Workload[] = [
  {
    name: 'workers',
    title: 'HTTP/1.1, 128 connections: two workers against one',
    protocol: 'http1',
    programs: ['wrk', 'nginx'],
    peers: ['ours (built)', 'ours with 2 workers'],
    freshPair: false,
    measure: measureWorkers,
  },
];
