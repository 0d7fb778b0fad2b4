/** What a test asks of a pair of proxies, whoever the proxies are. */
import type { AppProtocol } from '../../api/snapshot.ts';

export interface PairService {
  /** Mesh name; the namespace is `default`. */
  readonly name: string;
  /** The port that callers name. */
  readonly port: number;
  readonly protocol: AppProtocol;
  /** Where the app listens on 127.0.0.1. */
  readonly appPort: number;
}

/** Two proxies with mTLS between: `app → A → B → app`. */
export interface Pair extends AsyncDisposable {
  /** A's outbound listener: routes by Host. */
  readonly outbound: number;
  /** B's mTLS listener. */
  readonly inbound: number;
  /** A's local port for one service. */
  upstream(service: string): number;
  /** What both said, for a failed test. */
  output(): string;
}

/** `haproxy` and `direct` (no proxy at all) are the positive controls: what fails there too is the test's own fault. */
export interface ControlPair extends Pair {
  readonly kind: 'haproxy' | 'direct';
}

/** The control without any proxy: every port is the app's own. */
export const directPair = (services: readonly PairService[]): ControlPair => ({
  kind: 'direct',
  outbound: services[0]?.appPort ?? 0,
  inbound: 0,
  upstream: name => services.find(service => service.name === name)?.appPort ?? 0,
  output: () => '',
  [Symbol.asyncDispose]: async () => undefined,
});
