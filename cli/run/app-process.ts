import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';

/** As shells say it. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const BY_SIGNAL = 128;

/** The exit code that a shell shows for a program that a signal ended. */
export const codeOfSignal = (signal: NodeJS.Signals): number => BY_SIGNAL + constants.signals[signal];

/**
 * The app, with our standard streams, in a process group of its own: the terminal's Ctrl-C comes to us alone, so that the order of ending is ours,
 * and what we pass on reaches the children of a shell too.
 */
export class AppProcess {
  /** Its exit code: 128 and the number of the signal that ended it, 127 when there is no such program, 126 when it may not be run. */
  readonly ended: Promise<number>;
  private readonly child: ChildProcess;
  private over = false;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn(command, args, { stdio: 'inherit', env, detached: true });
    this.ended = new Promise(resolve => {
      this.child.once('error', (error: NodeJS.ErrnoException) => {
        process.stderr.write(`outrider run: cannot start ${command}: ${reasonOf(error)}\n`);
        resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE);
      });
      this.child.once('exit', (code, signal) => {
        this.signal('SIGTERM'); // what it started and left behind
        this.over = true;
        resolve(code ?? (signal === null ? BY_SIGNAL : codeOfSignal(signal)));
      });
    });
  }

  /** To the whole group; nothing happens when nobody is left. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined || this.over) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended.
    }
  }

  /** Asks it to end, kills it after `withinMs`. */
  async stop(signal: NodeJS.Signals, withinMs: number): Promise<void> {
    this.signal(signal);
    const kill = setTimeout(() => this.signal('SIGKILL'), withinMs);
    await this.ended;
    clearTimeout(kill);
  }
}

const reasonOf = ({ code, message }: NodeJS.ErrnoException): string =>
  code === 'ENOENT' ? 'there is no such program' : code === 'EACCES' ? 'it may not be executed' : message;
