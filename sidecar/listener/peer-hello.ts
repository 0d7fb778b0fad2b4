import type { WorkerNumber } from '../upstream/peer-workers.ts';

/** What a sidecar says of itself once per link connection (docs: the mesh link). It serves metrics and logs, never a decision. */
export interface PeerHello {
  readonly service: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly release: string;
  /** Number of the data-plane worker that serves this connection, and how many there are. */
  readonly worker: number;
  readonly workers: number;
}

const MAX_BYTES = 4_096;
/** What a peer may say; each worker is a connection to make. */
const MAX_WORKERS = 64;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export const formatPeerHello = (hello: PeerHello): Buffer => {
  const whole = Buffer.from(JSON.stringify(hello));
  // Labels are the only part without a bound of its own.
  return whole.length <= MAX_BYTES ? whole : Buffer.from(JSON.stringify({ ...hello, labels: {} }));
};

/** Who the peer says it is, or undefined when it says nothing usable. Unknown members are fine. */
export const parsePeerHello = (payload: Buffer): { service: string; namespace: string } | undefined => {
  const { service, namespace } = membersOf(payload);
  return isName(service) && isName(namespace) ? { service, namespace } : undefined;
};

/** Which of the peer's workers has the connection: the only one where it says nothing usable. */
export const parsePeerWorker = (payload: Buffer): WorkerNumber => {
  const { worker, workers } = membersOf(payload);
  return isCount(worker) && isCount(workers) && worker < workers && workers <= MAX_WORKERS
    ? { number: worker, count: workers }
    : { number: 0, count: 1 };
};

const membersOf = (payload: Buffer): Readonly<Record<string, unknown>> => {
  if (payload.length > MAX_BYTES) return {};
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
};

const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
const isName = (value: unknown): value is string => typeof value === 'string' && NAME.test(value);
