/** One workload: its app, a pair of each peer, and what they gave so far. */
import type { RunningApp } from './apps/app.ts';
import type { Peer, PeerName, RunningPair } from './peers/peer.ts';
import type { WorkloadResult } from './report/verdict.ts';
import type { Run, Sample, Workload } from './workloads/workload.ts';

export interface ContestOptions {
  readonly workload: Workload;
  readonly app: RunningApp;
  readonly peers: readonly Peer[];
  readonly startPair: (peer: Peer) => Promise<RunningPair>;
  /** Called with one line about each step. */
  readonly progress: (line: string) => void;
}

/** Once a pair is warm, a short run is enough to fill connection pools again. */
const REWARM_SECONDS = 1;

const sentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll('\n', ' / ');

/** Owned by the benchmark; lives as long as the workload is measured. */
export class Contest implements AsyncDisposable {
  readonly #options: ContestOptions;
  /** Who still takes part. */
  readonly #entrants: Set<Peer>;
  readonly #pairs = new Map<Peer, RunningPair>();
  readonly #samples = new Map<PeerName, Sample[]>();
  readonly #skipped: string[] = [];
  #rounds = 0;

  constructor(options: ContestOptions) {
    this.#options = options;
    const { peers, workload } = options;
    this.#entrants = new Set(
      peers.filter(peer => workload.peers.includes(peer.name === 'before' ? 'ours' : peer.name)),
    );
  }

  /** Each peer once, in turn; who begins changes from round to round, because it makes a difference what ran before. */
  async round(run: Pick<Run, 'seconds' | 'warmUpSeconds' | 'directory' | 'children'>): Promise<void> {
    const entrants = [...this.#entrants];
    const first = this.#rounds++ % Math.max(1, entrants.length);
    for (const peer of [...entrants.slice(first), ...entrants.slice(0, first)]) {
      const pair = await this.#pair(peer);
      if (pair === undefined) continue;
      const warm = this.#samples.has(peer.name) && !this.#options.workload.freshPair;
      const warmUpSeconds = warm ? Math.min(REWARM_SECONDS, run.warmUpSeconds) : run.warmUpSeconds;
      this.#record(peer, await this.#measure({ ...run, warmUpSeconds, pair, app: this.#options.app }));
      if (this.#options.workload.freshPair) await this.#stop(peer);
    }
  }

  result(): WorkloadResult {
    const { name, title } = this.#options.workload;
    return { workload: name, title, samples: this.#samples, skipped: this.#skipped };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#pairs.keys()) await this.#stop(peer);
    await this.#options.app.stop();
  }

  /** The peer's pair, started if need be; a peer that can't start is skipped from then on. */
  async #pair(peer: Peer): Promise<RunningPair | undefined> {
    const running = this.#pairs.get(peer);
    if (running) return running;
    try {
      const unavailable = peer.unavailable(this.#options.app.protocol);
      if (unavailable) throw new Error(unavailable);
      const pair = await this.#options.startPair(peer);
      this.#pairs.set(peer, pair);
      return pair;
    } catch (error) {
      this.#entrants.delete(peer);
      this.#skipped.push(`${peer.name} was skipped: ${sentence(error)}`);
      this.#options.progress(`${this.#options.workload.name}: ${this.#skipped.at(-1)}`);
      return undefined;
    }
  }

  /** What goes wrong while a pair runs is a fault of that run, and never silently one run less. */
  async #measure(run: Run): Promise<Sample> {
    try {
      return await this.#options.workload.measure(run);
    } catch (error) {
      return { figures: {}, faults: [`${sentence(error)}.`] };
    }
  }

  #record(peer: Peer, sample: Sample): void {
    const samples = this.#samples.get(peer.name) ?? [];
    samples.push(sample);
    this.#samples.set(peer.name, samples);
    const figures = Object.entries(sample.figures).map(([figure, value]) => `${figure} ${value.toFixed(1)}`);
    this.#options.progress(
      [`${this.#options.workload.name} ${samples.length} ${peer.name}:`, ...figures, ...sample.faults].join(' '),
    );
  }

  async #stop(peer: Peer): Promise<void> {
    await this.#pairs.get(peer)?.stop();
    this.#pairs.delete(peer);
  }
}
