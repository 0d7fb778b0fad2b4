import type { Clock } from '../common/clock.ts';
import type { Logger } from '../common/logger.ts';
import type { Readiness } from './admin/readiness.ts';
import type { Companion } from './companion.ts';
import type { Discovery } from './discovery/discovery.ts';

/** The registry's confirmation is waited for as long as this, or a quarter of the whole time where that is less. */
const LEAVE_MS = 2_000;

export interface LifecycleOptions {
  /** Ends what runs in order, within `timeoutMs`. `endApp`: the app in between. */
  readonly proxy: { drain(timeoutMs: number, endApp?: (withinMs: number) => Promise<void>): Promise<void> };
  readonly discovery: Discovery;
  readonly readiness: Readiness;
  readonly drainMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly companion: Companion | undefined;
}

/**
 * How a sidecar ends: out of the registry first, and when callers know it no new work; then what runs may finish, all within `drainMs`. An app of
 * ours ends when nobody calls it any more, and may call out to its end.
 * States: running → draining → drained; `quit` ends the process from there. Owned by `main`.
 */
export class Lifecycle {
  /** Settles when the process should end. */
  readonly stopped: Promise<void>;
  private readonly options: LifecycleOptions;
  private drained: Promise<void> | undefined = undefined;
  private resolveStopped: (outcome: Promise<void>) => void = () => {};

  constructor(options: LifecycleOptions) {
    this.options = options;
    this.stopped = new Promise(resolve => {
      this.resolveStopped = resolve;
    });
  }

  get draining(): boolean {
    return this.drained !== undefined;
  }

  /** Takes no new work; what runs may end. The process stays. */
  drain(): void {
    if (this.drained !== undefined) return;
    const { readiness, drainMs, log } = this.options;
    log.info('Draining.', { timeout_ms: drainMs });
    this.drained = this.drainInOrder();
    this.drained.catch(error => log.error('Draining failed.', { error }));
    readiness.require('drain', 'The sidecar is draining.');
  }

  private async drainInOrder(): Promise<void> {
    const { proxy, discovery, drainMs, clock, companion } = this.options;
    const endAtMs = clock.nowMs() + drainMs;
    await discovery.drain(Math.min(LEAVE_MS, drainMs / 4));
    const stopApp = companion === undefined ? undefined : (withinMs: number) => companion.stop(withinMs);
    await proxy.drain(Math.max(0, endAtMs - clock.nowMs()), stopApp);
  }

  /** Drains, then ends the process. */
  quit(): void {
    this.drain();
    this.resolveStopped(this.drained ?? Promise.resolve());
  }
}
