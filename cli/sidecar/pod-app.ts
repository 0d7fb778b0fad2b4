import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Beside, Companion } from '../../sidecar/companion.ts';

export interface PodAppOptions {
  readonly clock: Clock;
  /** How many processes of the app there are. */
  readonly processes: () => number;
  /** Calls back for each signal that should end the sidecar. */
  readonly onSignal: (quit: () => void) => void;
}

/** Pauses between looks at the processes: an app that is waited for may be done in no time. */
const WAITING_LOOK_MS = 25;
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
    this.options.clock.setTimer(this.state === 'waiting' ? WAITING_LOOK_MS : LOOK_MS, () => this.look());
  }
}

/**
 * Processes of other containers of the pod: but the one that holds it open, which has the number 1. What the kubelet runs in our own container (the
 * `postStart` hook) has our own control group, as we have.
 */
export const otherProcesses = (proc = '/proc', self = process.pid): number => {
  const own = controlGroup(proc, String(self));
  return readdirSync(proc)
    .filter(name => /^[0-9]+$/.test(name) && name !== '1' && name !== String(self))
    .map(name => controlGroup(proc, name))
    .filter(group => group !== undefined && group !== own).length;
};

/** Undefined: the process has just ended. */
const controlGroup = (proc: string, name: string): string | undefined => {
  try {
    return readFileSync(join(proc, name, 'cgroup'), 'utf8');
  } catch {
    return undefined;
  }
};
