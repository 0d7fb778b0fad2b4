/** Old latencies lose their weight with this time constant. Finagle and Linkerd use 10 s. */
const DECAY_MS = 10_000;
/** What an instance is taken to need before anything is known of it: fast enough to be tried, slow enough not to be flooded. */
const INITIAL_MS = 1;
/** A failure counts as if it had taken so long: answers that fail fast must not attract traffic. */
const FAILURE_MS = 1_000;

/**
 * A latency that believes bad news at once and good news slowly (Finagle: PeakEwma): a sample above the average replaces it, one below moves
 * it by `1 − e^(−Δt/τ)`. The cost of an instance is `latency × (active + 1)`.
 */
export class PeakEwma {
  private valueMs = INITIAL_MS;
  private atMs = 0;

  /** Takes the duration of one attempt. */
  observe(durationMs: number, failed: boolean, nowMs: number): void {
    const sample = failed ? Math.max(durationMs, FAILURE_MS) : durationMs;
    if (sample > this.valueMs) this.valueMs = sample;
    else {
      const keep = Math.exp(-Math.max(0, nowMs - this.atMs) / DECAY_MS);
      this.valueMs = this.valueMs * keep + sample * (1 - keep);
    }
    this.atMs = nowMs;
  }

  /** The latency as it counts now: without news a peak fades, so that a slow instance is asked again. */
  currentMs(nowMs: number): number {
    const keep = Math.exp(-Math.max(0, nowMs - this.atMs) / DECAY_MS);
    return Math.max(INITIAL_MS / 10, this.valueMs * keep);
  }
}
