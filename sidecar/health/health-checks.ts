import type { HealthCheckView, Snapshot } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Watch } from '../../common/watch.ts';
import type { Readiness } from '../admin/readiness.ts';
import { type CheckState, HealthChecker } from './health-checker.ts';
import { createProbe, describeProbe, type Probe } from './probe.ts';

export interface HealthChecksOptions {
  readonly snapshots: Watch<Snapshot>;
  /** Where the app listens. */
  readonly appAddress: string;
  readonly readiness: Readiness;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The app passes all of its checks, or no longer does. */
  readonly onChange: () => void;
  /** For tests. Default: the app is asked. */
  readonly probeOf?: (view: HealthCheckView) => Probe;
}

interface Running {
  readonly checker: HealthChecker;
  /** Its condition of readiness. */
  readonly condition: string;
}

/**
 * The checks of the app beside us, as the present snapshot declares them. Owned by `main`; lives as long as the sidecar.
 *
 * An app that is checked from the start gets no traffic before it has passed. Where a check is declared, or changed, while the sidecar runs, the app
 * keeps what it has until the check says otherwise: a new policy alone takes nobody's traffic away.
 */
export class HealthChecks implements Disposable {
  private readonly options: HealthChecksOptions;
  private readonly running = new Map<string, Running>();
  private readonly unsubscribe: () => void;
  private configured = false;
  private why = '';

  constructor(options: HealthChecksOptions) {
    this.options = options;
    this.unsubscribe = options.snapshots.subscribe(snapshot => {
      this.apply(snapshot);
      this.tell();
    });
    this.apply(options.snapshots.value);
    this.bringUpToDate();
  }

  /** Why the app should get no traffic, as a sentence; '' while it passes. It stays the same until another check changes. */
  get reason(): string {
    return this.why;
  }

  all(): HealthChecker[] {
    return Array.from(this.running.values(), ({ checker }) => checker);
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
    for (const { checker } of this.running.values()) checker[Symbol.dispose]();
  }

  private apply({ configVersion, healthChecks = [] }: Snapshot): void {
    if (configVersion === '') return;
    const initial = this.configured ? 'passing' : 'pending';
    this.configured = true;
    const wanted = new Map(healthChecks.map(view => [JSON.stringify(view), view]));
    const states = new Map<number, CheckState>();
    for (const [key, { checker, condition }] of this.running) {
      if (wanted.has(key)) continue;
      states.set(checker.view.port, checker.state);
      checker[Symbol.dispose]();
      this.running.delete(key);
      this.options.readiness.meet(condition);
    }
    for (const [key, view] of wanted)
      if (!this.running.has(key)) this.start(key, view, states.get(view.port) ?? initial);
  }

  private start(key: string, view: HealthCheckView, initial: CheckState): void {
    const { appAddress, clock, random, probeOf = fromApp(appAddress) } = this.options;
    const checker = new HealthChecker({
      view,
      probe: probeOf(view),
      initial,
      clock,
      random,
      onChange: changed => {
        this.write(changed);
        this.tell();
      },
    });
    this.running.set(key, { checker, condition: `health check ${key}` });
  }

  private write({ state, cause, view }: HealthChecker): void {
    const fields = { port: view.port, check: describeProbe(view.probe), cause };
    if (state === 'passing') this.options.log.info('The app passes its health check.', fields);
    else this.options.log.warn('The app fails its health check.', { ...fields, failures: view.unhealthyThreshold });
  }

  private tell(): void {
    const before = this.why;
    this.bringUpToDate();
    if (this.why !== before) this.options.onChange();
  }

  private bringUpToDate(): void {
    const { readiness } = this.options;
    this.why = '';
    for (const { checker, condition } of this.running.values()) {
      if (checker.state === 'passing') {
        readiness.meet(condition);
        continue;
      }
      const sentence = sentenceOf(checker);
      readiness.require(condition, sentence);
      this.why ||= sentence;
    }
  }
}

const fromApp =
  (host: string) =>
  ({ probe, port }: HealthCheckView): Probe =>
    createProbe(probe, { host, port });

const sentenceOf = ({ state, cause, view }: HealthChecker): string => {
  const what = `its health check on port ${view.port} (${describeProbe(view.probe)})`;
  return state === 'pending' ? `The app has not passed ${what} yet.` : `The app fails ${what}: ${cause}.`;
};
