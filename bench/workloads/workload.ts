/** A workload: what is sent through a pair, and what is read off it. */
import type { RunningApp } from '../apps/app.ts';
import type { Children } from '../chain/children.ts';
import type { AppProtocol, PeerName, RunningPair } from '../peers/peer.ts';

/** What can be measured. Each figure has one unit, which its name says, and one direction in which it is better. */
export const FIGURES = {
  cpuUsPerRequest: { title: 'CPU µs/request', better: 'less', digits: 1 },
  requestsPerSecond: { title: 'requests/s', better: 'more', digits: 0 },
  p50Us: { title: 'p50 µs', better: 'less', digits: 0 },
  p99Us: { title: 'p99 µs', better: 'less', digits: 0 },
  megabytesPerSecond: { title: 'MB/s', better: 'more', digits: 0 },
  cpuMsPerGigabyte: { title: 'CPU ms/GB', better: 'less', digits: 0 },
  residentMb: { title: 'resident MB', better: 'less', digits: 1 },
  privateDirtyMb: { title: 'Private_Dirty MB', better: 'less', digits: 1 },
  startMs: { title: 'start to ready ms', better: 'less', digits: 0 },
  lesserWorkerShare: { title: 'CPU share of the lesser worker', better: 'more', digits: 2 },
} as const satisfies Record<string, { title: string; better: 'less' | 'more'; digits: number }>;

export type Figure = keyof typeof FIGURES;

/** What one run of one peer gave. */
export interface Sample {
  readonly figures: Readonly<Partial<Record<Figure, number>>>;
  /** One sentence each; a sample with faults proves nothing. */
  readonly faults: readonly string[];
}

/** What one run works with. */
export interface Run {
  readonly pair: RunningPair;
  readonly app: RunningApp;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** For files of the load driver. */
  readonly directory: string;
  readonly children: Children;
}

export interface Workload {
  /** As `--only` takes it. */
  readonly name: string;
  readonly title: string;
  readonly protocol: AppProtocol;
  /** Programs on PATH that the load driver needs. */
  readonly programs: readonly string[];
  readonly peers: readonly PeerName[];
  /** True: each run gets a pair that was just started. */
  readonly freshPair: boolean;
  measure(run: Run): Promise<Sample>;
}
