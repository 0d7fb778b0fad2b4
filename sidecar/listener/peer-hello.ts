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
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export const formatPeerHello = (hello: PeerHello): Buffer => {
  const whole = Buffer.from(JSON.stringify(hello));
  // Labels are the only part without a bound of its own.
  return whole.length <= MAX_BYTES ? whole : Buffer.from(JSON.stringify({ ...hello, labels: {} }));
};

/** Who the peer says it is, or undefined when it says nothing usable. Unknown members are fine. */
export const parsePeerHello = (payload: Buffer): { service: string; namespace: string } | undefined => {
  if (payload.length > MAX_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { service, namespace } = value as Record<string, unknown>;
  return isName(service) && isName(namespace) ? { service, namespace } : undefined;
};

const isName = (value: unknown): value is string => typeof value === 'string' && NAME.test(value);
