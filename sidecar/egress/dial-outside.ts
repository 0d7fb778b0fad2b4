import dns from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { Clock } from '../../common/clock.ts';
import { proxyError } from '../errors/proxy-error.ts';
import { dialTcp } from '../upstream/dial-tcp.ts';
import type { Dial } from '../upstream/transport.ts';

const LOOP = proxyError('NO_ROUTE', 'loop');
const NOWHERE = proxyError('CONNECT_FAILED', 'not_in_mesh_nor_dns', '', 'never');

/** Whether one of this sidecar's own listeners is at this address. */
export type IsOwn = (address: string, port: number) => boolean;

/** Plain TCP to a host outside the mesh, by DNS; never to one of our own listeners, whatever the name resolves to. */
export const dialOutside = (
  host: string,
  port: number,
  isOwn: IsOwn,
  timeoutMs: () => number,
  clock: Clock,
  resolve: typeof dns.lookup = dns.lookup,
): Dial => {
  const isLiteral = isIP(host) !== 0;
  const lookup: LookupFunction = (name, options, callback) =>
    resolve(name, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null) callback(error, '');
      else if (first === undefined) callback(errorOf('ENOTFOUND'), '');
      else if (addresses.some(({ address }) => isOwn(address, port))) callback(errorOf('ELOOP'), '');
      else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  const dial = dialTcp(host, port, timeoutMs, clock, lookup);
  return done => {
    if (isLiteral && isOwn(host, port)) {
      done(LOOP, undefined);
      return () => {};
    }
    return dial((error, socket) => {
      if (error?.cause === 'ELOOP') done(LOOP, undefined);
      else if (error?.cause === 'ENOTFOUND') done(NOWHERE, undefined);
      else done(error, socket);
    });
  };
};

const errorOf = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
