import type { Clock } from '../../common/clock.ts';
import { setWallTimer } from '../../common/wall-timer.ts';
import type { IdentityView } from '../identity/certificate-store.ts';
import { type LinkValidity, replaceMarginMs } from '../identity/link-validity.ts';

/** What becomes of an accepted link connection. */
export interface Expiring {
  /** Finish what is open, take nothing new. */
  drain(): void;
  /** Reset what is open, and close. */
  expire(): void;
}

/**
 * Nothing outlives the certificates of its connection, nor takes new requests once roots have come or gone. A sidecar replaces the connection by itself
 * before; other peers are sent away when half of that margin is left. Returns how to stop.
 */
export const followValidity = (
  connection: Expiring,
  { notAfterMs, bundleVersion }: LinkValidity,
  clock: Clock,
  store: Pick<IdentityView, 'onChange'>,
): (() => void) => {
  const drainAtMs = notAfterMs - replaceMarginMs(notAfterMs - clock.wallMs()) / 2;
  const drain = setWallTimer(clock, drainAtMs, () => connection.drain());
  const end = setWallTimer(clock, notAfterMs, () => connection.expire());
  const stopWatching = store.onChange(({ bundle }) => {
    if (bundle.version !== bundleVersion) connection.drain();
  });
  return () => {
    drain.cancel();
    end.cancel();
    stopWatching();
  };
};
