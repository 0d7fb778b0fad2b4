/** A probe whose results the test gives, and a check that has time. */
import { DEFAULT_HEALTH_CHECK, type HealthCheckView } from '../../../../api/snapshot.ts';
import type { Probe, ProbeResult } from '../../../../sidecar/health/probe.ts';

export const checkView = (view: Partial<HealthCheckView> = {}): HealthCheckView => ({
  port: 8080,
  probe: { kind: 'tcp' },
  ...DEFAULT_HEALTH_CHECK,
  timeoutMs: 60_000,
  ...view,
});

export const OK: ProbeResult = { ok: true, cause: 'status 200' };
export const BAD: ProbeResult = { ok: false, cause: 'status 503' };

export interface FakeProbe {
  readonly probe: Probe;
  /** Signals of all checks so far, the present one last. */
  readonly signals: AbortSignal[];
  /** Ends the check that runs, and lets its result arrive. */
  answer(result: ProbeResult): Promise<void>;
}

export const fakeProbe = (): FakeProbe => {
  const signals: AbortSignal[] = [];
  let finish: (result: ProbeResult) => void = () => {};
  return {
    signals,
    probe: signal => {
      signals.push(signal);
      return new Promise(resolve => {
        finish = resolve;
      });
    },
    answer: async result => {
      finish(result);
      await Promise.resolve();
    },
  };
};
