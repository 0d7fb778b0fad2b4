import type { ProbeView } from '../../api/snapshot.ts';
import type { Address } from '../config.ts';
import { probeGrpc } from './probe-grpc.ts';
import { probeHttp } from './probe-http.ts';
import { probeTcp } from './probe-tcp.ts';

/** How one check ended. */
export interface ProbeResult {
  readonly ok: boolean;
  /** What the app did, in a few words for a log line. */
  readonly cause: string;
}

/** Asks the app once. Never rejects; when the signal aborts it lets go of everything, and nobody waits for its result any more. */
export type Probe = (signal: AbortSignal) => Promise<ProbeResult>;

/** `https`: for HTTP, with a certificate that is not verified. */
export const createProbe = (view: ProbeView, address: Address, https = false): Probe => {
  switch (view.kind) {
    case 'http':
      return probeHttp(view, address, https);
    case 'grpc':
      return probeGrpc(view, address);
    case 'tcp':
      return probeTcp(address);
    default:
      return view satisfies never;
  }
};

/** What is asked, for people. */
export const describeProbe = (view: ProbeView): string => {
  switch (view.kind) {
    case 'http':
      return `GET ${view.path}`;
    case 'grpc':
      return view.service === '' ? 'gRPC health' : `gRPC health of ${view.service}`;
    case 'tcp':
      return 'TCP connection';
    default:
      return view satisfies never;
  }
};
