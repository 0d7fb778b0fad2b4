import type { Clock, Timer } from '../../common/clock.ts';
import type { SidecarSession } from './sidecar-session.ts';

/** A sidecar that leaves is not kept waiting for longer by one that does not confirm. */
const AT_MOST_MS = 1_000;

interface Departure {
  readonly leaver: SidecarSession;
  readonly deadline: Timer;
  /** Who was told and has not confirmed yet; undefined: its workload is still in the store. */
  waitingFor: Set<SidecarSession> | undefined;
}

/**
 * Sidecars that have said goodbye and wait to hear that nobody is sent to them any more: all that were told have confirmed.
 * Owned by the push server; lives as long as it.
 */
export class Departures {
  readonly #clock: Clock;
  /** By the workload's `namespace/name`. */
  readonly #departures = new Map<string, Departure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** This sidecar leaves, and its workload is about to be removed. */
  begin(workload: string, leaver: SidecarSession): void {
    const deadline = this.#clock.setTimer(AT_MOST_MS, () => this.#end(workload));
    this.#departures.set(workload, { leaver, deadline, waitingFor: undefined });
  }

  /** The workload is gone; these sidecars will be told. */
  removed(workload: string, told: Iterable<SidecarSession>): void {
    const departure = this.#departures.get(workload);
    if (departure === undefined) return;
    departure.waitingFor = new Set(told);
    if (departure.waitingFor.size === 0) this.#end(workload);
  }

  /** This sidecar holds the newest state, or is gone. */
  upToDate(session: SidecarSession): void {
    for (const [workload, { waitingFor }] of this.#departures)
      if (waitingFor?.delete(session) === true && waitingFor.size === 0) this.#end(workload);
  }

  close(): void {
    for (const { deadline } of this.#departures.values()) deadline.cancel();
    this.#departures.clear();
  }

  #end(workload: string): void {
    const departure = this.#departures.get(workload);
    departure?.deadline.cancel();
    this.#departures.delete(workload);
    departure?.leaver.gone();
  }
}
