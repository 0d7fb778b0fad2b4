import { readdirSync } from 'node:fs';
import type { Clock } from '../../common/clock.ts';
import type { Beside, Companion } from '../../sidecar/companion.ts';

export interface PodAppOptions {
  readonly clock: Clock;
  /** How many processes of the app there are. */
  readonly processes: () => number;
  /** Calls back for each signal that should end the sidecar. */
  readonly onSignal: (quit: () => void) => void;
}

/** Pauses between looks at the processes. */
const LOOK_MS = 250;

/**
 * The app of a pod whose containers see each other's processes (`shareProcessNamespace`) and which ends by itself, as that of a Job does: the
 * sidecar ends with it, or the pod never would. Told to end, the sidecar goes last.
 * States: waiting (no process yet) → running → gone. Owned by the command; lives as long as the process.
 */
export class PodApp implements Companion {
  private readonly options: PodAppOptions;
  private state: 'waiting' | 'running' | 'gone' = 'waiting';
  private beside: Beside | undefined;
  private onGone: () => void = () => {};

  constructor(options: PodAppOptions) {
    this.options = options;
  }

  start(beside: Beside): void {
    this.beside = beside;
    this.options.onSignal(() => beside.quit());
    beside.appIsUp();
    this.look();
  }

  /** What never came is not waited for. */
  stop(withinMs: number): Promise<void> {
    if (this.state !== 'running') return Promise.resolve();
    return new Promise(resolve => {
      const atLast = this.options.clock.setTimer(withinMs, resolve);
      this.onGone = () => {
        atLast.cancel();
        resolve();
      };
    });
  }

  private look(): void {
    const count = this.options.processes();
    if (count > 0) this.state = 'running';
    else if (this.state === 'running') {
      this.state = 'gone';
      this.onGone();
      this.beside?.quit();
      return;
    }
    this.options.clock.setTimer(LOOK_MS, () => this.look());
  }
}

/** Processes beside this one in the pod: all but the one that holds it open, which has the number 1. */
export const otherProcesses = (proc = '/proc', self = process.pid): number =>
  readdirSync(proc).filter(name => /^[0-9]+$/.test(name) && name !== '1' && name !== String(self)).length;
