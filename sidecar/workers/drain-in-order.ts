import type { Clock } from '../../common/clock.ts';

/** A data plane, or several, in two halves that end one after the other. */
export interface Drainable {
  /** No new connections of peers; settles when those that are open have ended, or have been ended after `withinMs`. */
  drainFromPeers(withinMs: number): Promise<void>;
  /** The same for the connections of the app. */
  drainFromApp(withinMs: number): Promise<void>;
}

/** Of the whole time so much is for the peers, where an app must end behind them. */
const PEERS_PART = 0.75;

/**
 * Ends in order: peers are asked to go elsewhere while the app may still call out; then the app, where that is ours to end (`endApp`), which
 * keeps a quarter of the time for itself; then the app's own connections; at most `timeoutMs` in all.
 */
export const drainInOrder = async (
  planes: readonly Drainable[],
  timeoutMs: number,
  clock: Clock,
  endApp?: (withinMs: number) => Promise<void>,
): Promise<void> => {
  const endAtMs = clock.nowMs() + timeoutMs;
  const leftMs = (): number => Math.max(0, endAtMs - clock.nowMs());
  const peersMs = endApp === undefined ? timeoutMs : timeoutMs * PEERS_PART;
  await Promise.all(planes.map(plane => plane.drainFromPeers(peersMs)));
  await endApp?.(leftMs());
  await Promise.all(planes.map(plane => plane.drainFromApp(leftMs())));
};
