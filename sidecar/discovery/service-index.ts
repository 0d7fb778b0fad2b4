/** Which names and addresses a snapshot answers. */
import { isIPv6 } from 'node:net';
import { SNI_PREFIX } from '../../api/discovery.ts';
import type { Snapshot } from '../../api/snapshot.ts';

/** Subscription keys (`service.namespace`, `address:port`, `sni=host:port`) to `service.namespace`. */
export const indexServices = ({ services }: Snapshot): ReadonlyMap<string, string> => {
  const index = new Map<string, string>();
  for (const { name, namespace, addresses, ports, endpoints } of services) {
    const key = `${name}.${namespace}`;
    index.set(key, key);
    for (const address of addresses)
      for (const { port } of ports) index.set(isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`, key);
    if (ports.some(({ authority }) => authority !== undefined))
      for (const { address } of endpoints) index.set(SNI_PREFIX + address, key);
  }
  return index;
};
