/** The processes that the benchmark started. Owned by main.ts; all of them are gone, by pid, when it exits for whatever reason. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface ChildOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Opens a message channel; only for Node programs. */
  readonly channel?: boolean;
}

/** Bytes of a child's output that are kept, to tell why it failed. */
const OUTPUT_TAIL = 4_096;
/** Time a child has to end after SIGTERM. */
const STOP_MS = 3_000;

export class Child {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves with the exit code, or -1 after a signal. */
  readonly exited: Promise<number>;
  #tail = '';

  constructor(process: ChildProcess, pid: number) {
    this.process = process;
    this.pid = pid;
    const keep = (chunk: Buffer): void => {
      this.#tail = (this.#tail + chunk.toString()).slice(-OUTPUT_TAIL);
    };
    process.stderr?.on('data', keep);
    process.stdout?.on('data', keep);
    this.exited = new Promise(resolve => process.once('close', code => resolve(code ?? -1)));
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** What the child said about its end, on one line: the line that speaks of an error, else the last ones. */
  get lastWords(): string {
    const lines = this.#tail.trim().split('\n');
    const telling = lines.findLast(line => /error|emerg|alert|critical/i.test(line));
    return (telling ?? lines.slice(-3).join(' / ').trim()) || 'nothing was printed';
  }

  /** The child's next message, for children with a channel. */
  ask(question: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.process.once('message', resolve);
      this.process.send(question as object, error => error && reject(error));
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.running) return;
    this.process.kill(signal);
    const hard = setTimeout(() => this.process.kill('SIGKILL'), STOP_MS);
    await this.exited;
    clearTimeout(hard);
  }
}

export class Children {
  readonly #running = new Set<Child>();

  start(command: string, args: readonly string[], options: ChildOptions = {}): Child {
    const child = spawn(command, args, {
      cwd: options.directory,
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe', ...(options.channel ? (['ipc'] as const) : [])],
    });
    // A command that is not there reports through 'error'; whoever waits for the child sees it end.
    child.on('error', () => {});
    const tracked = new Child(child, child.pid ?? 0);
    this.#running.add(tracked);
    child.once('close', () => this.#running.delete(tracked));
    return tracked;
  }

  /** Runs a program to its end. @throws when it exits with anything but 0. */
  async run(command: string, args: readonly string[], options: ChildOptions = {}): Promise<string> {
    const child = this.start(command, args, options);
    const chunks: Buffer[] = [];
    child.process.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    const code = await child.exited;
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${child.lastWords}`);
    return Buffer.concat(chunks).toString();
  }

  /** For the exit handler, where nothing can be awaited. */
  killAll(): void {
    for (const child of this.#running) child.process.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map(child => child.stop()));
  }
}
