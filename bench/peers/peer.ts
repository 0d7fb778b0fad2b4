/** A peer: one way to build the chain app → A → mTLS → B → app. */
import type { ChainCertificates } from '../chain/certificates.ts';
import type { Children } from '../chain/children.ts';

/** What the app and its caller speak. */
export type AppProtocol = 'http1' | 'http2' | 'grpc' | 'thrift';

export type PeerName =
  | 'ours'
  | 'ours (built)'
  | 'ours with 2 workers'
  | 'before'
  | 'haproxy'
  | 'nginx'
  | 'envoy'
  | 'usual way';

/** What a pair is built from. */
export interface Chain {
  readonly protocol: AppProtocol;
  /** Where the app listens, on 127.0.0.1. */
  readonly appPort: number;
  readonly certificates: ChainCertificates;
  /** A folder for this pair alone. */
  readonly directory: string;
  readonly children: Children;
}

/** Two proxies with mTLS between them, ready for traffic. */
export interface RunningPair {
  /** Where the caller dials A, on 127.0.0.1. */
  readonly port: number;
  /** Process id of A, then of B. */
  readonly pids: readonly [number, number];
  /** From the start of A's process until it was ready. */
  readonly startMs: number;
  stop(): Promise<void>;
}

export interface Peer {
  readonly name: PeerName;
  /** Its version, for the report; '' when it is not there. */
  version(): string;
  /** One sentence why this peer can't take part with `protocol`, or undefined. */
  unavailable(protocol: AppProtocol): string | undefined;
  start(chain: Chain): Promise<RunningPair>;
}
