/** Programs under test as child processes: their output kept, ended by their own process id, never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Characters of output kept per stream; older ones are dropped. */
const KEPT_OUTPUT = 1_000_000;

/**
 * tap puts its loader into NODE_OPTIONS of every child, whatever `env` says, and so of the children of a child. It is for tests: a program under test
 * would start twice as slowly. `env` becomes the program, so that the process id stays.
 */
const WITHOUT_TAP = ['-u', 'NODE_OPTIONS'];

export interface ProcessOptions {
  /** For messages; the command by default. */
  readonly name?: string;
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One child process. Owned by whoever started it; ends with `await using`, or with this process at the latest. */
export class RunningProcess {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  #exit: Exit | undefined;

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.name = options.name ?? command;
    const child = spawn('env', [...WITHOUT_TAP, command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.#child = child;
    this.pid = child.pid ?? -1;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = (this.stdout + text).slice(-KEPT_OUTPUT);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-KEPT_OUTPUT);
    });
    const killWithUs = () => child.kill('SIGKILL');
    process.once('exit', killWithUs);
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.exited = promise;
    const over = (exit: Exit) => {
      this.#exit = exit;
      process.off('exit', killWithUs);
      resolve(exit);
    };
    child.once('error', error => {
      this.stderr += error.message;
      over({ code: 127, signal: null });
    });
    child.once('close', (code, signal) => over({ code, signal }));
  }

  /** How it ended, or undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal);
  }

  /** Asks it to end; after `graceMs` it is killed. */
  async stop(graceMs = 5_000): Promise<Exit> {
    this.signal('SIGTERM');
    const kill = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(kill);
    return exit;
  }

  /** Everything it said, for a failed test's message. */
  output(): string {
    return `--- ${this.name} stdout\n${this.stdout.slice(-4_000)}\n--- ${this.name} stderr\n${this.stderr.slice(-4_000)}`;
  }

  /** Resident memory now, in bytes (Linux). */
  residentBytes(): number {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, killed after `timeoutMs` (60 s by default). */
export const runToEnd = async (
  command: string,
  args: readonly string[],
  options: ProcessOptions & { readonly timeoutMs?: number } = {},
): Promise<Finished> => {
  const child = new RunningProcess(command, args, options);
  const kill = setTimeout(() => child.signal('SIGKILL'), options.timeoutMs ?? 60_000);
  const exit = await child.exited;
  clearTimeout(kill);
  return { ...exit, stdout: child.stdout, stderr: child.stderr };
};
