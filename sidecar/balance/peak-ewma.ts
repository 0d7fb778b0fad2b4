/** Old latencies lose their weight with this time constant. Finagle and Linkerd use 10 s. */
const DECAY_MS = 10_000;
/**
 * An instance whose last answer was a failure counts as if it took so long: answers that fail fast must not attract traffic. That fades quickly: one
 * that was restarted is asked again after some ten seconds, and one that still fails is asked as rarely as that, until it is ejected.
 */
const FAILURE_MS = 1_000;
const FAILURE_DECAY_MS = 2_000;
/** Nothing counts as longer: one stream that was open for an hour must not keep an instance without traffic for minutes. */
const MAX_SAMPLE_MS = 10_000;
/** Below this, differences are noise, and what is under way decides. */
const FLOOR_MS = 0.1;
/** The first answers pay for connections, compilers and caches: the best of so many is the latency, and they are asked for one by one at once. */
const FIRST_ANSWERS = 3;
/** What an instance costs while its first answer is awaited: more than any that has answered (Finagle: Penalty). */
const UNKNOWN_MS = 1e9;
/** After so long without any answer what is under way must be streams, and tells nothing; then it counts as if it took `ASSUMED_MS`. */
const PATIENCE_MS = 1_000;
const ASSUMED_MS = 10;

/**
 * A latency that believes bad news at once and good news slowly: a sample above the average replaces it, one below moves it by
 * `1 − e^(−Δt/τ)`, and without news it fades, so that a slow instance is asked again. Silence is news too: while answers are awaited, it costs
 * at least the time since the last one, so that an instance that hangs gets next to nothing. Finagle, Linkerd: PeakEwma.
 */
export class PeakEwma {
  private valueMs = 0;
  private atMs = 0;
  private answers = 0;
  /** The last answer was a failure, then; NaN: it was not. The penalty fades, and one success ends it. */
  private failedAtMs = Number.NaN;
  /** When it was first weighed with its first answer still to come. */
  private awaitedSinceMs = Number.NaN;

  /** Attempts whose answer has not begun, and since when there is no news of them. */
  private awaited = 0;
  private silentSinceMs = 0;

  /** An attempt is under way; `answered` or `gaveUp` follows. */
  awaits(atMs: number): void {
    if (this.awaited++ === 0) this.silentSinceMs = atMs;
  }

  /** Its answer has begun. */
  answered(durationMs: number, failed: boolean, nowMs: number): void {
    this.awaited--;
    this.silentSinceMs = nowMs;
    this.observe(durationMs, failed, nowMs);
  }

  /** It ended without an answer. */
  gaveUp(): void {
    this.awaited--;
  }

  /** Takes the duration of one attempt. */
  observe(durationMs: number, failed: boolean, nowMs: number): void {
    const sampleMs = Math.min(MAX_SAMPLE_MS, durationMs);
    this.failedAtMs = failed ? nowMs : Number.NaN;
    this.answers++;
    if (this.answers <= FIRST_ANSWERS) this.valueMs = this.answers === 1 ? sampleMs : Math.min(this.valueMs, sampleMs);
    else if (sampleMs > this.valueMs) this.valueMs = sampleMs;
    else if (failed) return;
    else {
      const keep = fade(this.atMs, nowMs);
      this.valueMs = this.valueMs * keep + sampleMs * (1 - keep);
    }
    this.atMs = nowMs;
  }

  /** The latency as it counts now; 0 while nothing is known. */
  currentMs(nowMs: number): number {
    if (this.answers === 0) return 0;
    const ownMs = Math.max(FLOOR_MS, this.valueMs * fade(this.atMs, nowMs));
    return Number.isNaN(this.failedAtMs)
      ? ownMs
      : Math.max(ownMs, FAILURE_MS * fade(this.failedAtMs, nowMs, FAILURE_DECAY_MS));
  }

  /**
   * `latency × (active + 1)`. While its first answers come in, an instance is free for one request; before the very first one it is very dear
   * for more: it is tried at once, and not flooded before it has shown what it can do.
   */
  cost(active: number, nowMs: number): number {
    if (active === 0 && this.awaited === 0 && this.answers < FIRST_ANSWERS && Number.isNaN(this.failedAtMs)) return 0;
    if (this.answers > 0) {
      const silentMs = this.awaited === 0 ? 0 : Math.min(MAX_SAMPLE_MS, nowMs - this.silentSinceMs);
      return Math.max(this.currentMs(nowMs), silentMs) * (active + 1);
    }
    if (Number.isNaN(this.awaitedSinceMs)) this.awaitedSinceMs = nowMs;
    return (nowMs - this.awaitedSinceMs < PATIENCE_MS ? UNKNOWN_MS : ASSUMED_MS) * (active + 1);
  }
}

const fade = (atMs: number, nowMs: number, decayMs = DECAY_MS): number =>
  Math.exp(-Math.max(0, nowMs - atMs) / decayMs);
