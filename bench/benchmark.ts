/** The benchmark: each workload with all its peers, the runs interleaved (A B C A B C). */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APPS } from './apps/all.ts';
import type { RunningApp } from './apps/app.ts';
import { type ChainCertificates, writeCertificates } from './chain/certificates.ts';
import type { Children } from './chain/children.ts';
import { missingProgram } from './chain/programs.ts';
import type { Peer, PeerName, RunningPair } from './peers/peer.ts';
import type { WorkloadResult } from './report/verdict.ts';
import type { Sample, Workload } from './workloads/workload.ts';

export interface BenchmarkOptions {
  readonly peers: readonly Peer[];
  readonly runs: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Called with one line about each step. */
  readonly progress: (line: string) => void;
}

const sentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll('\n', ' / ');

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

  async measure(workload: Workload, options: BenchmarkOptions): Promise<WorkloadResult> {
    const result = {
      workload: workload.name,
      title: workload.title,
      samples: new Map<PeerName, Sample[]>(),
      skipped: [] as string[],
    };
    const missing = missingProgram(workload.programs);
    if (missing) return { ...result, skipped: [`Skipped: ${missing}`] };
    const app = await APPS[workload.protocol](this.#children, this.#folder('app'));
    const entrants = new Map(
      options.peers
        .filter(peer => workload.peers.includes(peer.name))
        .map(peer => [peer, undefined as RunningPair | undefined]),
    );
    const withdraw = async (peer: Peer, reason: string): Promise<void> => {
      await entrants.get(peer)?.stop();
      entrants.delete(peer);
      result.skipped.push(`${peer.name} was skipped: ${reason}`);
      options.progress(`${workload.name}: ${peer.name} is skipped: ${reason}`);
    };
    try {
      for (let round = 1; round <= options.runs; round++) {
        for (const [peer, running] of entrants) {
          const reason = peer.unavailable(workload.protocol);
          if (reason) {
            await withdraw(peer, reason);
            continue;
          }
          try {
            const pair = running ?? (await this.#start(peer, app));
            entrants.set(peer, pair);
            const sample = await this.#run(workload, pair, app, options);
            result.samples.set(peer.name, [...(result.samples.get(peer.name) ?? []), sample]);
            options.progress(
              `${workload.name} ${round}/${options.runs} ${peer.name}: ${JSON.stringify(sample.figures)} ${sample.faults.join(' ')}`,
            );
            if (!workload.freshPair) continue;
            entrants.set(peer, undefined);
            await pair.stop();
          } catch (error) {
            await withdraw(peer, sentence(error));
          }
        }
      }
    } finally {
      for (const pair of entrants.values()) await pair?.stop();
      await app.stop();
    }
    return result;
  }

  async #start(peer: Peer, app: RunningApp): Promise<RunningPair> {
    const directory = this.#folder(peer.name.replaceAll(' ', '-'));
    await mkdir(directory);
    return peer.start({
      protocol: app.protocol,
      appPort: app.port,
      certificates: this.#certificates,
      directory,
      children: this.#children,
    });
  }

  #run(
    workload: Workload,
    pair: RunningPair,
    app: RunningApp,
    { seconds, warmUpSeconds }: BenchmarkOptions,
  ): Promise<Sample> {
    return workload.measure({
      pair,
      app,
      seconds,
      warmUpSeconds,
      directory: this.#directory,
      children: this.#children,
    });
  }

  #folder(name: string): string {
    this.#folders += 1;
    return join(this.#directory, `${this.#folders}-${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
