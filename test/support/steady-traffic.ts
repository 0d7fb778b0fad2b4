/** Requests at a steady pace through a caller's sidecar, and what became of each. */
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';

export type Method = 'GET' | 'HEAD' | 'OPTIONS' | 'POST';

export interface Outcome {
  readonly method: Method;
  /** 0: no answer at all. */
  readonly status: number;
  readonly flag: string;
  readonly detail: string;
  /** Since the traffic began. */
  readonly atMs: number;
  readonly ms: number;
}

export interface TrafficOptions {
  /** The outbound listener of the caller's sidecar. */
  readonly proxy: string;
  /** The service that is called. */
  readonly host: string;
  readonly getsPerSecond?: number;
  readonly postsPerSecond?: number;
}

/** 200 GET and 20 POST a second by default, until it is stopped. Owned by the test. */
export class SteadyTraffic implements AsyncDisposable {
  private readonly options: Required<TrafficOptions>;
  private readonly pool: Pool;
  private readonly sent: Promise<Outcome>[] = [];
  private readonly startedAtMs = performance.now();
  private readonly over: Promise<void>;
  private stopping = false;

  constructor(options: TrafficOptions) {
    this.options = { getsPerSecond: 200, postsPerSecond: 20, ...options };
    this.pool = new Pool(options.proxy, { connections: 100 });
    this.over = this.run();
  }

  /** Resolves with everything when the last answer is there. */
  async stop(): Promise<readonly Outcome[]> {
    this.stopping = true;
    await this.over;
    const outcomes = await Promise.all(this.sent);
    if (!this.pool.closed) await this.pool.close();
    return outcomes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private async run(): Promise<void> {
    const { getsPerSecond, postsPerSecond } = this.options;
    let gets = 0;
    let posts = 0;
    while (!this.stopping) {
      const seconds = (performance.now() - this.startedAtMs) / 1_000;
      for (; gets < seconds * getsPerSecond; gets++) this.sent.push(this.send('GET'));
      for (; posts < seconds * postsPerSecond; posts++) this.sent.push(this.send('POST'));
      await pause(5);
    }
  }

  private async send(method: Method): Promise<Outcome> {
    const start = performance.now();
    const atMs = start - this.startedAtMs;
    const body = method === 'POST' ? 'hello' : null;
    try {
      const answer = await this.pool.request({ method, path: '/', headers: { host: this.options.host }, body });
      await answer.body.dump();
      const { 'x-outrider-flag': flag = '', 'x-outrider-detail': detail = '' } = answer.headers;
      const ms = performance.now() - start;
      return { method, status: answer.statusCode, flag: String(flag), detail: String(detail), atMs, ms };
    } catch (error) {
      return { method, status: 0, flag: '', detail: String(error), atMs, ms: performance.now() - start };
    }
  }
}

/** For `ms`; `during` happens a quarter into it. */
export const trafficFor = async (
  options: TrafficOptions,
  ms: number,
  during: () => unknown = () => {},
): Promise<readonly Outcome[]> => {
  await using traffic = new SteadyTraffic(options);
  await pause(ms / 4);
  await during();
  await pause((ms * 3) / 4);
  return traffic.stop();
};

/** Those that did not get a 200. */
export const failures = (outcomes: readonly Outcome[]): readonly Outcome[] =>
  outcomes.filter(({ status }) => status !== 200);
