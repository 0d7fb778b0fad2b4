/** The benchmark: each workload with all its peers, the runs interleaved (A B C A B C). */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APPS } from './apps/all.ts';
import type { RunningApp } from './apps/app.ts';
import { type ChainCertificates, writeCertificates } from './chain/certificates.ts';
import type { Children } from './chain/children.ts';
import { missingProgram } from './chain/programs.ts';
import { Contest } from './contest.ts';
import type { Peer, RunningPair } from './peers/peer.ts';
import type { WorkloadResult } from './report/verdict.ts';
import type { Workload } from './workloads/workload.ts';

export interface BenchmarkOptions {
  readonly peers: readonly Peer[];
  readonly runs: number;
  readonly seconds: number;
  /** Load before the first measured run of each pair. */
  readonly warmUpSeconds: number;
  /** Called with one line about each step. */
  readonly progress: (line: string) => void;
}

/** Runs workloads. Owned by main.ts; holds the temporary folder of one benchmark. */
export class Benchmark implements AsyncDisposable {
  readonly #children: Children;
  readonly #directory: string;
  readonly #certificates: ChainCertificates;
  #folders = 0;

  private constructor(children: Children, directory: string, certificates: ChainCertificates) {
    this.#children = children;
    this.#directory = directory;
    this.#certificates = certificates;
  }

  static async create(children: Children): Promise<Benchmark> {
    const directory = await mkdtemp(join(tmpdir(), 'outrider-bench-'));
    return new Benchmark(children, directory, await writeCertificates(directory));
  }

  async measure(workload: Workload, { peers, progress, runs, ...times }: BenchmarkOptions): Promise<WorkloadResult> {
    const missing = missingProgram(workload.programs);
    if (missing) {
      progress(`${workload.name} is skipped: ${missing}`);
      return { workload: workload.name, title: workload.title, samples: new Map(), skipped: [`Skipped: ${missing}`] };
    }
    const app = await APPS[workload.protocol](this.#children, await this.folder());
    await using contest = new Contest({
      workload,
      app,
      peers,
      progress,
      startPair: peer => this.#startPair(peer, app),
    });
    for (let round = 0; round < runs; round++) {
      await contest.round({ ...times, directory: this.#directory, children: this.#children });
    }
    return contest.result();
  }

  async #startPair(peer: Peer, app: RunningApp): Promise<RunningPair> {
    const directory = await this.folder();
    return peer.start({
      protocol: app.protocol,
      appPort: app.port,
      certificates: this.#certificates,
      directory,
      children: this.#children,
    });
  }

  /** A new folder that goes with the benchmark. */
  async folder(): Promise<string> {
    this.#folders += 1;
    const directory = join(this.#directory, String(this.#folders));
    await mkdir(directory);
    return directory;
  }

  /** For the exit handler, where nothing can be awaited. */
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
