import { isIP } from 'node:net';
import { checkServerIdentity, connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../common/clock.ts';
import { type ProxyError, proxyError } from '../../errors/proxy-error.ts';

/** A server outside that shows a certificate. */
export interface TlsServer {
  readonly host: string;
  readonly port: number;
  /** What its certificate must be for; it is told so (SNI, RFC 6066 §3) unless it is an address. */
  readonly hostname: string;
  /** Whom to trust. */
  readonly secureContext: SecureContext;
}

export type TlsDone = (error: ProxyError | undefined, socket: TLSSocket | undefined) => void;
/** Makes one connection. `alpn`: application protocols in order of preference; none: nothing is negotiated. */
export type DialServer = (alpn: readonly string[], done: TlsDone) => () => void;

const CONNECT_DETAILS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'name_not_resolved',
  EAI_AGAIN: 'name_not_resolved',
  ETIMEDOUT: 'connect_timeout',
};
/** OpenSSL's verify results; every other one is an authority that is not trusted. */
const CERTIFICATE_DETAILS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'server_expired',
  CERT_NOT_YET_VALID: 'server_expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'server_name',
};
const NO_HTTP2 = proxyError('CONNECT_FAILED', 'no_http2');

/** TCP and TLS to a server outside, verified by chain and name (RFC 9110 §4.3.4). `timeoutMs`, for both together, is asked at each dial. */
export const dialServer =
  (server: TlsServer, timeoutMs: () => number, clock: Clock): DialServer =>
  (alpn, done) => {
    const { host, port, hostname, secureContext } = server;
    let isConnected = false;
    const socket = connect({
      host,
      port,
      secureContext,
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
      servername: isIP(hostname) === 0 ? hostname : '',
      checkServerIdentity: (_, certificate) => checkServerIdentity(hostname, certificate),
    });
    const giveUp = (): void => {
      timer.cancel();
      socket.off('secureConnect', onSecure).off('error', onError).on('error', ignore);
      socket.destroy();
    };
    const fail = (error: ProxyError): void => {
      giveUp();
      done(error, undefined);
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      const code = error.code ?? error.message;
      if (!isConnected) fail(proxyError('CONNECT_FAILED', CONNECT_DETAILS[code] ?? 'connection_failed', code));
      else if (socket.authorizationError || code in CERTIFICATE_DETAILS)
        fail(proxyError('PEER_IDENTITY', CERTIFICATE_DETAILS[code] ?? 'server_untrusted', code));
      else if (needsHttp2(alpn) && code.endsWith('NO_APPLICATION_PROTOCOL')) fail(NO_HTTP2);
      else fail(proxyError('CONNECT_FAILED', 'tls_handshake', code));
    };
    const onSecure = (): void => {
      if (needsHttp2(alpn) && socket.alpnProtocol !== 'h2') return fail(NO_HTTP2);
      timer.cancel();
      // Whoever gets it hears of its end by 'close'.
      socket.off('error', onError).on('error', ignore);
      done(undefined, socket);
    };
    const timer = clock.setTimer(timeoutMs(), () =>
      fail(proxyError('CONNECT_FAILED', isConnected ? 'tls_timeout' : 'connect_timeout')),
    );
    socket.setNoDelay(true);
    socket
      .once('connect', () => {
        isConnected = true;
      })
      .once('secureConnect', onSecure)
      .once('error', onError);
    return giveUp;
  };

const needsHttp2 = (alpn: readonly string[]): boolean => alpn.length === 1 && alpn[0] === 'h2';
const ignore = (): void => {};
