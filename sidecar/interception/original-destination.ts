import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { Address } from '../config.ts';

/** Where a connection was going before the kernel redirected it to us; undefined: it was meant for us. */
export type OriginalDestination = (socket: Socket) => Address | undefined;

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h: SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST. */
const SO_ORIGINAL_DST = 80;
/** sizeof(struct sockaddr_in) and sizeof(struct sockaddr_in6). */
const IPV4_BYTES = 16;
const IPV6_BYTES = 28;

type GetSockOpt = (fd: number, level: number, option: number, value: Buffer, length: [number]) => number;

/**
 * Asks the kernel, by `getsockopt(2)`, which Node does not offer. Costs some 10 µs a connection.
 * @throws where the C library cannot be called: not Linux, or a processor that `koffi` has no build for.
 */
export const originalDestination = (): OriginalDestination => {
  // Loaded only by who needs it: it costs memory that explicit mode saves.
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const getsockopt = koffi
    .load('libc.so.6')
    .func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)') as unknown as GetSockOpt;
  return socket => {
    const fd = descriptorOf(socket);
    const { localAddress, localFamily } = socket;
    if (fd === undefined || localAddress === undefined) return undefined;
    const isIPv6 = localFamily === 'IPv6' && !localAddress.startsWith('::ffff:');
    const bytes = Buffer.alloc(IPV6_BYTES);
    const length: [number] = [isIPv6 ? IPV6_BYTES : IPV4_BYTES];
    if (getsockopt(fd, isIPv6 ? SOL_IPV6 : SOL_IP, SO_ORIGINAL_DST, bytes, length) !== 0) return undefined;
    return isIPv6 ? parseIPv6(bytes) : parseIPv4(bytes);
  };
};

const descriptorOf = (socket: Socket): number | undefined => {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
};

/** struct sockaddr_in: family, port, address. */
export const parseIPv4 = (bytes: Buffer): Address => ({
  host: bytes.subarray(4, 8).join('.'),
  port: bytes.readUInt16BE(2),
});

/** struct sockaddr_in6: family, port, flow, address. In the spelling of RFC 5952, as every other address here. */
export const parseIPv6 = (bytes: Buffer): Address => {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(8 + i * 2).toString(16));
  return { host: new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1), port: bytes.readUInt16BE(2) };
};
