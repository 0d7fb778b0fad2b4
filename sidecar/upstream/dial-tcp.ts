import dns from 'node:dns';
import net from 'node:net';
import type { Clock } from '../../common/clock.ts';
import { readIntoScratch } from '../../common/read-into-scratch.ts';
import { proxyError } from '../errors/proxy-error.ts';
import type { Dial } from './transport.ts';

const DETAILS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'name_not_resolved',
  EAI_AGAIN: 'name_not_resolved',
  ETIMEDOUT: 'connect_timeout',
};

/** Plain TCP to one address. All its errors are CONNECT_FAILED: nothing was sent. `timeoutMs` is asked at each dial; `lookup` resolves the host. */
export const dialTcp =
  (host: string, port: number, timeoutMs: () => number, clock: Clock, lookup: net.LookupFunction = dns.lookup): Dial =>
  done => {
    const socket = net.connect({ host, port, lookup, noDelay: true, allowHalfOpen: true });
    const finish = (): void => {
      timer.cancel();
      socket.off('connect', onConnect).off('error', onError);
    };
    const onConnect = (): void => {
      finish();
      readIntoScratch(socket);
      done(undefined, socket);
    };
    const fail = (detail: string, cause: string): void => {
      finish();
      socket.on('error', ignore);
      socket.destroy();
      done(proxyError('CONNECT_FAILED', detail, cause), undefined);
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      const code = error.code ?? error.message;
      fail(DETAILS[code] ?? 'connection_failed', code);
    };
    const timer = clock.setTimer(timeoutMs(), () => fail('connect_timeout', ''));
    socket.once('connect', onConnect).once('error', onError);
    return () => {
      finish();
      socket.on('error', ignore);
      socket.destroy();
    };
  };

const ignore = (): void => {};
