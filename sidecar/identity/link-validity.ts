/** How long a mesh connection may be used: known when its handshake is done, and fixed from then on. */
export interface LinkValidity {
  /** The earlier end of the two certificates that it was made with (wall clock). */
  readonly notAfterMs: number;
  /** `TrustBundle.version` by which the peer was believed. */
  readonly bundleVersion: string;
}

/** Share of what the certificates had left when the connection was made. */
const MARGIN_RATIO = 0.1;
/** For certificates that hold seconds to minutes: enough to dial anew on a busy machine, and for what is under way to end. */
const MIN_MARGIN_MS = 5_000;
/** What a connection must be good for is mostly that its streams end, so the shortest-lived drain for longer than they take requests. */
const MAX_MARGIN_RATIO = 0.75;

/**
 * How long before the certificates' end a connection must be replaced: a tenth of what they have left (`leftMs`) when it is made, but at least
 * 5 s, and at most three quarters. It is reckoned from the handshake and not from notBefore, which lies in the past by an arbitrary allowance for late
 * clocks. Docs: the mesh link.
 */
export const replaceMarginMs = (leftMs: number): number =>
  Math.min(Math.max(leftMs * MARGIN_RATIO, MIN_MARGIN_MS), leftMs * MAX_MARGIN_RATIO);
