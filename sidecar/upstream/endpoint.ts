import type { EndpointView } from '../../api/snapshot.ts';
import type { Timer } from '../../common/clock.ts';
import { PeakEwma } from '../balance/peak-ewma.ts';
import { ConsecutiveFailures } from '../resilience/outlier-detection/consecutive-failures.ts';
import { Ejection } from '../resilience/outlier-detection/ejection.ts';

/** What outlier detection says: `ejected` gets nothing while others are healthy, `probing` one request at a time. */
export type Health = 'healthy' | 'ejected' | 'probing';
const HEALTHS = ['healthy', 'ejected', 'probing'] as const satisfies readonly Health[];

// What all workers of a sidecar know of an instance together: two numbers of its ejections, then these.
const EJECTION_BYTES = 2 * Float64Array.BYTES_PER_ELEMENT;
const HEALTH = 0;
const TURN = 1;
const FAILURES = 2;
const PROBE_WANTED = 3;
export const ENDPOINT_BYTES: number = EJECTION_BYTES + 4 * Int32Array.BYTES_PER_ELEMENT;

/**
 * One instance of a service as this sidecar sees it: where it is, who it must be, and how it has been doing. Kept across snapshots as long as
 * address and identity stay, so that what was learned stays too. Owned by `Clusters`.
 */
export class Endpoint {
  /** What it is called among all instances. */
  readonly key: string;
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
  readonly failures: ConsecutiveFailures;
  readonly ejection: Ejection;
  probeTimer: Timer | undefined = undefined;
  private readonly shared: Int32Array;

  /** `memory`: `ENDPOINT_BYTES` that are 0, or that another worker has for the same instance. */
  constructor(view: EndpointView, nowMs: number, key = '', memory: ArrayBufferLike = new ArrayBuffer(ENDPOINT_BYTES)) {
    this.key = key;
    this.shared = new Int32Array(memory, EJECTION_BYTES);
    this.failures = new ConsecutiveFailures(this.shared, FAILURES);
    this.ejection = new Ejection(new Float64Array(memory, 0, 2));
    this.view = view;
    this.address = view.address;
    this.identity = view.identity;
    this.addedAtMs = nowMs;
  }

  get health(): Health {
    return HEALTHS[this.shared[HEALTH]!]!;
  }

  /** Grows with each change of `health`: tells whoever set a timer that it was for an earlier state. */
  get turn(): number {
    return this.shared[TURN]!;
  }

  /** False: another worker has changed it, so that it is no longer `from`. */
  changeHealth(from: Health, to: Health): boolean {
    const before = HEALTHS.indexOf(from);
    if (Atomics.compareExchange(this.shared, HEALTH, before, HEALTHS.indexOf(to)) !== before) return false;
    Atomics.add(this.shared, TURN, 1);
    return true;
  }

  /** One of the next requests, of whichever worker, should go here; or that is no longer so. */
  wantProbe(wanted: boolean): void {
    this.shared[PROBE_WANTED] = wanted ? 1 : 0;
  }

  /** True for one request for each time that a probe is wanted. */
  takeProbe(): boolean {
    return Atomics.exchange(this.shared, PROBE_WANTED, 0) === 1;
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
