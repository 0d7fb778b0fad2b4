/** What has to be so before this sidecar should get traffic. */
export interface ReadinessState {
  readonly ready: boolean;
  /** What is missing, one sentence each; empty when ready. */
  readonly reasons: readonly string[];
}

/**
 * Conditions that must all hold. Owned by `proxy.ts`; lives as long as the sidecar. A condition does not hold until somebody says so, so an
 * owner names its own before it starts.
 */
export class Readiness {
  private readonly missing = new Map<string, string>();

  /** `condition` must hold from now on; until `meet`, `reason` says what is missing. May be called again: it broke, or the reason changed. */
  require(condition: string, reason: string): void {
    this.missing.set(condition, reason);
  }

  /** `condition` holds. */
  meet(condition: string): void {
    this.missing.delete(condition);
  }

  /** What is missing for `condition`; '' when it holds, or nobody requires it. */
  reasonOf(condition: string): string {
    return this.missing.get(condition) ?? '';
  }

  state(): ReadinessState {
    return { ready: this.missing.size === 0, reasons: [...this.missing.values()] };
  }
}
