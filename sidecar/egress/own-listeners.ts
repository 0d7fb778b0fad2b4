import { BlockList, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Address } from '../config.ts';
import type { IsOwn } from './dial-outside.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
LOOPBACK.addAddress('0.0.0.0', 'ipv4');
LOOPBACK.addAddress('::', 'ipv6');

/** Tells our own listeners by port and any address of this machine. `listening`: where we listen now. */
export const ownListeners =
  (listening: () => readonly Address[]): IsOwn =>
  (address, port) =>
    listening().some(own => own.port === port) && isThisMachine(address);

const isThisMachine = (address: string): boolean => {
  if (LOOPBACK.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return true;
  const plain = address.replace(/^::ffff:/i, '');
  return Object.values(networkInterfaces()).some(all => all?.some(each => each.address === plain));
};
