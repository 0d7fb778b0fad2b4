/** How fast it has to be. The first bound must hold, the second is the goal. */
import type { PeerName } from '../peers/peer.ts';
import type { Figure } from '../workloads/workload.ts';

export interface Target {
  readonly workload: string;
  readonly figure: Figure;
  /** Whose figure is judged; 'ours' by default. */
  readonly of?: PeerName;
  /** The peer in the same round, our own figure in another workload, or nothing: then the figure itself is judged. */
  readonly against: { readonly peer: PeerName } | { readonly workload: string } | undefined;
  /** `atMost` for figures that should be small, `atLeast` for the others. */
  readonly bound: 'atMost' | 'atLeast';
  readonly must: number;
  readonly goal: number;
}

const HAPROXY = { peer: 'haproxy' } as const;
/** What users start: without the type stripping that the sources need, which costs memory and time. */
const BUILT = 'ours (built)';
const TWO_WORKERS = 'ours with 2 workers';

const atMost = (workload: string, figure: Figure, against: Target['against'], must: number, goal: number): Target => ({
  workload,
  figure,
  against,
  bound: 'atMost',
  must,
  goal,
});

const atLeast = (workload: string, figure: Figure, against: Target['against'], must: number, goal: number): Target => ({
  ...atMost(workload, figure, against, must, goal),
  bound: 'atLeast',
});

const small = (workload: string): Target[] => [
  atMost(workload, 'cpuUsPerRequest', HAPROXY, 1.3, 1),
  atMost(workload, 'p50Us', HAPROXY, 1.3, 1),
  atMost(workload, 'p99Us', HAPROXY, 2, 1.2),
  atMost(workload, 'cpuUsPerRequest', { peer: 'usual way' }, 0.33, 0.2),
];

export const TARGETS: readonly Target[] = [
  atMost('http1-1', 'p50Us', HAPROXY, 1.3, 1),
  atMost('http1-1', 'p99Us', HAPROXY, 5, 2),
  ...small('http1-32'),
  ...small('http1-128'),
  atLeast('bodies-1mb', 'megabytesPerSecond', HAPROXY, 0.8, 1),
  atLeast('uploads-1mb', 'megabytesPerSecond', HAPROXY, 0.8, 1),
  atLeast('long-stream', 'megabytesPerSecond', HAPROXY, 0.8, 1),
  atMost('beside-transfer', 'p99Us', HAPROXY, 2, 1),
  atLeast('new-connections', 'requestsPerSecond', HAPROXY, 0.45, 0.6),
  atMost('http2', 'cpuUsPerRequest', HAPROXY, 1, 0.6),
  atMost('http2-traceparent', 'cpuUsPerRequest', HAPROXY, 1.3, 1),
  atMost('http2-path', 'cpuUsPerRequest', HAPROXY, 2, 1.3),
  atMost('grpc', 'cpuUsPerRequest', { peer: 'envoy' }, 0.5, 0.33),
  atMost('thrift', 'cpuUsPerRequest', { workload: 'http1-32' }, 1.3, 1),
  { ...atMost('memory', 'residentMb', undefined, 120, 90), of: BUILT },
  { ...atMost('memory', 'privateDirtyMb', undefined, 60, 40), of: BUILT },
  { ...atMost('memory', 'residentMb', undefined, 140, 110), of: TWO_WORKERS },
  { ...atMost('memory', 'privateDirtyMb', undefined, 80, 60), of: TWO_WORKERS },
  { ...atMost('workers', 'cpuUsPerRequest', { peer: BUILT }, 1.15, 1.05), of: TWO_WORKERS },
  { ...atLeast('workers', 'lesserWorkerShare', undefined, 0.35, 0.45), of: TWO_WORKERS },
  { ...atMost('start', 'startMs', undefined, 500, 250), of: BUILT },
];
