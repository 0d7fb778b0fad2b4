import type { HealthCheckView } from '../../api/snapshot.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { Probe, ProbeResult } from './probe.ts';

/**
 *   pending ──success──▶ passing ──unhealthyThreshold failures──▶ failing ──healthyThreshold successes──▶ passing
 *      └──unhealthyThreshold failures──▶ failing
 *
 * `pending` is the state of an app that has not been asked yet, or has not passed since the sidecar started: it gets no traffic either.
 */
export type CheckState = 'pending' | 'passing' | 'failing';

/** How checks can end. */
export const CHECK_RESULTS = ['success', 'failure', 'timeout'] as const;
export type CheckResult = (typeof CHECK_RESULTS)[number];

/** What does not pass is asked at least so often, so that it comes back soon. */
export const RECOVERY_INTERVAL_MS = 500;
/** Pauses are longer or shorter by up to a tenth, so that the instances of an app are not asked in step. */
const JITTER = 0.1;

export interface HealthCheckerOptions {
  readonly view: HealthCheckView;
  readonly probe: Probe;
  readonly initial: CheckState;
  readonly clock: Clock;
  readonly random: Random;
  /** The state changed; `cause` says why. */
  readonly onChange: (checker: HealthChecker) => void;
}

/** One check of the app, again and again. Owned by `HealthChecks`; lives as long as the snapshot declares it. */
export class HealthChecker implements Disposable {
  readonly view: HealthCheckView;
  /** What the last result was about; '' before the first. */
  cause = '';
  /** Results so far. */
  readonly results: Record<CheckResult, number> = { success: 0, failure: 0, timeout: 0 };
  private current: CheckState;
  private readonly options: HealthCheckerOptions;
  /** Results of the same kind in a row. */
  private streak = 0;
  private lastOk = true;
  private timer: Timer | undefined = undefined;
  private running: AbortController | undefined = undefined;

  constructor(options: HealthCheckerOptions) {
    this.options = options;
    this.view = options.view;
    this.current = options.initial;
    this.check();
  }

  get state(): CheckState {
    return this.current;
  }

  [Symbol.dispose](): void {
    this.timer?.cancel();
    this.running?.abort();
    this.running = undefined;
  }

  private check(): void {
    const { clock, probe, view } = this.options;
    const running = new AbortController();
    this.running = running;
    const finish = (kind: CheckResult, result: ProbeResult): void => {
      if (this.running !== running) return;
      this.running = undefined;
      this.timer?.cancel();
      this.results[kind]++;
      this.learn(result);
      this.timer = clock.setTimer(this.pauseMs(), () => this.check());
    };
    this.timer = clock.setTimer(view.timeoutMs, () => {
      finish('timeout', { ok: false, cause: `no answer within ${view.timeoutMs} ms` });
      running.abort();
    });
    void probe(running.signal).then(result => finish(result.ok ? 'success' : 'failure', result));
  }

  private pauseMs(): number {
    const { view, random } = this.options;
    const pauseMs = this.current === 'passing' ? view.intervalMs : Math.min(view.intervalMs, RECOVERY_INTERVAL_MS);
    return pauseMs * (1 - JITTER + 2 * JITTER * random());
  }

  private learn({ ok, cause }: ProbeResult): void {
    this.cause = cause;
    this.streak = ok === this.lastOk ? this.streak + 1 : 1;
    this.lastOk = ok;
    const next = this.next(ok);
    if (next === this.current) return;
    this.current = next;
    this.options.onChange(this);
  }

  private next(ok: boolean): CheckState {
    const { healthyThreshold, unhealthyThreshold } = this.view;
    if (!ok) return this.streak >= unhealthyThreshold ? 'failing' : this.current;
    return this.current === 'pending' || this.streak >= healthyThreshold ? 'passing' : this.current;
  }
}
