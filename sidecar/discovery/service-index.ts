/** Which names and addresses a snapshot answers. */
import { isIPv6 } from 'node:net';
import type { Snapshot } from '../../api/snapshot.ts';

/** Subscription keys (`service.namespace`, `address:port`) to `service.namespace`. */
export const indexServices = ({ services }: Snapshot): ReadonlyMap<string, string> => {
  const index = new Map<string, string>();
  for (const { name, namespace, addresses, ports } of services) {
    const key = `${name}.${namespace}`;
    index.set(key, key);
    for (const address of addresses)
      for (const { port } of ports) index.set(isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`, key);
  }
  return index;
};
