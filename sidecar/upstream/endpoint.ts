import type { EndpointView } from '../../api/snapshot.ts';
import type { Timer } from '../../common/clock.ts';
import { PeakEwma } from '../balance/peak-ewma.ts';
import { ConsecutiveFailures } from '../resilience/outlier-detection/consecutive-failures.ts';
import { Ejection } from '../resilience/outlier-detection/ejection.ts';

/** What outlier detection says: `ejected` gets nothing while others are healthy, `probing` one request at a time. */
export type Health = 'healthy' | 'ejected' | 'probing';

/**
 * One instance of a service as this sidecar sees it: where it is, who it must be, and how it has been doing. Kept across snapshots as long as
 * address and identity stay, so that what was learned stays too. Owned by `Clusters`.
 */
export class Endpoint {
  /** `host:port` to dial. */
  readonly address: string;
  /** The SPIFFE id that its certificate must have; null: plain text, no sidecar. */
  readonly identity: string | null;
  readonly addedAtMs: number;
  readonly latency = new PeakEwma();
  /** What the control plane said last. */
  view: EndpointView;
  /** Attempts under way. */
  active = 0;
  /** The three belong to the outlier detector; others may look. */
  health: Health = 'healthy';
  readonly failures = new ConsecutiveFailures();
  readonly ejection = new Ejection();
  probeTimer: Timer | undefined = undefined;

  constructor(view: EndpointView, nowMs: number) {
    this.view = view;
    this.address = view.address;
    this.identity = view.identity;
    this.addedAtMs = nowMs;
  }

  get weight(): number {
    return this.view.weight;
  }

  /** The app's port behind a service port. */
  appPort(servicePort: number): number {
    return this.view.ports[servicePort] ?? servicePort;
  }
}

/** Endpoints are the same as long as this is. */
export const endpointKey = (view: EndpointView): string => `${view.address} ${view.identity ?? ''}`;
