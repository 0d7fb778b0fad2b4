/** What a name or address means as a subscription. */
import { isIP } from 'node:net';
import { SNI_PREFIX } from '../../api/discovery.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** What may follow `service.namespace`. */
const SUFFIXES: readonly string[] = ['', 'mesh', 'svc', 'svc.cluster.local'];

/**
 * `service.namespace` for a name of the mesh with or without a port, `address:port` for an address, `sni=host:port` as it is; undefined for what can
 * not be in the mesh: a name of another shape, an address without a port. INTERFACE: names.
 */
export const subscriptionKey = (target: string, namespace: string): string | undefined => {
  if (target.startsWith(SNI_PREFIX)) return target;
  const [, ipv6, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(target) ?? [];
  const host = ipv6 ?? plain ?? '';
  const family = isIP(host);
  if (family !== 0) return port === undefined ? undefined : `${family === 6 ? `[${host}]` : host}:${port}`;
  if (ipv6 !== undefined) return undefined;
  const [service = '', second = namespace, ...rest] = host.toLowerCase().replace(/\.$/, '').split('.');
  return LABEL.test(service) && LABEL.test(second) && SUFFIXES.includes(rest.join('.'))
    ? `${service}.${second}`
    : undefined;
};

const MAX_KEPT = 1_000;

/** The keys of one namespace's names; those that were asked for lately are kept, since every connection and request asks. */
export class SubscriptionKeys {
  private readonly kept = new Map<string, string | undefined>();
  private readonly namespace: string;

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  of(target: string): string | undefined {
    const { kept } = this;
    const known = kept.get(target);
    if (known !== undefined) return known;
    const key = subscriptionKey(target, this.namespace);
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(target, key);
    return key;
  }
}
