/** `outrider control-plane` as a process, on the same ports at every start. */
import { fileURLToPath } from 'node:url';
import { RunningProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Owned by the test. */
export class ControlPlaneProcess implements AsyncDisposable {
  readonly dataDir: string;
  readonly #flags: readonly string[];
  #process: RunningProcess | undefined;
  #restPort = 0;
  #channelPort = 0;

  /** `flags`: further ones of `outrider control-plane`. */
  constructor(dataDir: string, flags: readonly string[] = []) {
    this.dataDir = dataDir;
    this.#flags = flags;
  }

  get restUrl(): string {
    return `https://127.0.0.1:${this.#restPort}`;
  }

  /** Where sidecars connect. */
  get channelUrl(): string {
    return `https://127.0.0.1:${this.#channelPort}`;
  }

  /** Resolves when it says that it is ready. */
  async start(): Promise<void> {
    const flags = ['--data-dir', this.dataDir, '--rest', `127.0.0.1:${this.#restPort}`];
    const others = ['--channel', `127.0.0.1:${this.#channelPort}`, '--metrics', '127.0.0.1:0'];
    const child = new RunningProcess(
      process.execPath,
      [PROGRAM, 'control-plane', ...flags, ...others, ...this.#flags],
      {
        env: { NODE_OPTIONS: undefined },
      },
    );
    this.#process = child;
    await waitFor('the control plane', () => {
      const [, rest, channel] = /"rest_port":(\d+),"channel_port":(\d+)/.exec(child.stdout) ?? [];
      this.#restPort = Number(rest ?? this.#restPort);
      this.#channelPort = Number(channel ?? this.#channelPort);
      return rest !== undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${child.output()}`);
    });
  }

  /** `kill -9`, and until it is gone. */
  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL');
    await this.#process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}
