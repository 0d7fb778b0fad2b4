import { Worker } from 'node:worker_threads';
import type { Clock } from '../../common/clock.ts';
import type { Answers, FromWorker, Question, ToWorker, WorkerStart } from './messages.ts';

/** Built, the programs are JavaScript. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const PROGRAM = new URL(`./worker-program${EXTENSION}`, import.meta.url);

/** What has a time limit is waited for so much longer: a worker may be busy. */
const GRACE_MS = 1_000;

export interface WorkerLinkOptions {
  readonly start: WorkerStart;
  readonly onMessage: (message: Exclude<FromWorker, { readonly kind: 'listening' | 'answer' }>) => void;
  /** It has ended by itself. */
  readonly onDeath: (cause: string) => void;
  readonly clock: Clock;
}

/** A worker beside the first one, as the first thread sees it. States: starting → listening → ended. Owned by the worker group. */
export class WorkerLink {
  /** Settles when it listens; fails with why it does not. */
  readonly listening: Promise<void>;
  private readonly worker: Worker;
  private readonly clock: Clock;
  private readonly asked = new Map<number, (value: never) => void>();
  private lastId = 0;
  private ended = false;

  constructor({ start, onMessage, onDeath, clock }: WorkerLinkOptions) {
    this.clock = clock;
    this.worker = new Worker(PROGRAM, { name: `outrider ${start.number}`, workerData: start });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.listening = promise;
    const dies = (cause: string): void => {
      if (this.ended) return;
      this.ended = true;
      reject(new Error(cause));
      onDeath(cause);
    };
    // Whoever waits for it gets the failure; nobody has to.
    promise.catch(() => {});
    this.worker.on('message', (message: FromWorker) => {
      if (message.kind === 'listening') resolve();
      else if (message.kind === 'answer') this.answered(message.id, message.value);
      else onMessage(message);
    });
    this.worker.on('error', error => dies(error instanceof Error ? error.message : String(error)));
    this.worker.on('exit', code => dies(`it ended with code ${code}`));
  }

  post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  /** Never settles when the worker has died. */
  ask<Asked extends Question>(question: Asked, withinMs = 0): Promise<Answers[Asked]> {
    const id = ++this.lastId;
    return new Promise(resolve => {
      this.asked.set(id, resolve);
      this.post({ kind: 'ask', id, question, withinMs });
    });
  }

  /** Settles when it is done, or when it takes much longer than it may: a worker that hangs or has died holds nothing up. */
  askWithin(question: Question, withinMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.clock.setTimer(withinMs + GRACE_MS, resolve);
      void this.ask(question, withinMs).then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Ends the thread. What it wrote before is there. */
  async close(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.askWithin('close', 0);
    await this.worker.terminate();
  }

  private answered(id: number, value: Answers[Question]): void {
    this.asked.get(id)?.(value as never);
    this.asked.delete(id);
  }
}
