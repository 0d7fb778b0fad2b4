import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';

/** What a sidecar may run short of, and how its log says how much was taken of it. */
const MEASURES = { memory: 'buffered_bytes', event_loop: 'turn_ms' } as const;
export type Resource = keyof typeof MEASURES;

/** An episode ends when nothing was refused for so long. */
const QUIET_MS = 10_000;

interface Episodes {
  readonly resource: Resource;
  count: number;
  quietFromMs: number;
}

/** Counts the episodes in which new work is refused, and logs one line for each. The single requests are in the metrics. Owned by the proxy. */
export class OverloadEpisodes {
  readonly counts: readonly Episodes[] = (Object.keys(MEASURES) as Resource[]).map(resource => ({
    resource,
    count: 0,
    quietFromMs: 0,
  }));
  private readonly log: Logger;
  private readonly clock: Clock;

  constructor(log: Logger, clock: Clock) {
    this.log = log;
    this.clock = clock;
  }

  /** One more was refused. */
  refused(resource: Resource, amount: number): void {
    const episodes = this.counts.find(each => each.resource === resource) as Episodes;
    const nowMs = this.clock.nowMs();
    if (episodes.count === 0 || nowMs >= episodes.quietFromMs) {
      episodes.count++;
      this.log.warn('New work is refused: the sidecar is overloaded.', {
        resource,
        [MEASURES[resource]]: Math.round(amount),
      });
    }
    episodes.quietFromMs = nowMs + QUIET_MS;
  }
}
