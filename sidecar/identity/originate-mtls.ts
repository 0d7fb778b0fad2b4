/** The client's end of mTLS: dials one instance, and hands it over only when it is who it should be. */
import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../common/clock.ts';
import { readIntoScratch } from '../../common/read-into-scratch.ts';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';
import type { IdentityView } from './certificate-store.ts';
import type { Identity } from './identity.ts';
import type { LinkValidity } from './link-validity.ts';
import { type PeerIdentity, readPeerIdentity } from './peer-identity.ts';

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** The SPIFFE id that the control plane lists for this address, as a canonical URI. */
  readonly expectedId: string;
  readonly store: IdentityView;
  readonly clock: Clock;
  /** Application protocols in order of preference; the peer must choose one of them. */
  readonly alpn: readonly string[];
  /** For TCP and TLS together. */
  readonly timeoutMs: number;
}

export interface Dial {
  /** Gives up; the callback won't be called. Harmless afterwards. */
  cancel(): void;
}

/**
 * Called once, never before `dialMtls` returns. Whoever gets the socket listens for 'error' at once; Nagle's algorithm is off.
 * In TLS 1.3 the peer may still refuse *our* certificate: then the socket ends before its first byte.
 */
export type DialCallback = (
  error: ProxyError | undefined,
  socket: TLSSocket | undefined,
  peer: PeerIdentity | undefined,
  validity: LinkValidity | undefined,
) => void;

const DETAILS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'name_not_resolved',
  EAI_AGAIN: 'name_not_resolved',
  ETIMEDOUT: 'connect_timeout',
};

/** What went wrong before the handshake was done. `isConnected`: TCP was up. */
const handshakeError = (error: NodeJS.ErrnoException, socket: TLSSocket, isConnected: boolean): ProxyError => {
  const code = error.code ?? error.message;
  if (!isConnected) return proxyError('CONNECT_FAILED', DETAILS[code] ?? 'connection_failed', code);
  // Set by Node when OpenSSL's verification of the peer's chain failed.
  return proxyError('CONNECT_FAILED', socket.authorizationError ? 'tls_certificate' : 'tls_handshake', code);
};

/** Who a peer whose handshake is done is, or why it is not the one that was dialled. Judged by the roots of this moment. */
const checkPeer = (socket: TLSSocket, { bundle }: Identity, options: DialOptions): PeerIdentity | ProxyError => {
  const { alpnProtocol } = socket;
  if (typeof alpnProtocol !== 'string') return proxyError('CONNECT_FAILED', 'no_application_protocol');
  const peer = readPeerIdentity(socket, bundle, options.clock.wallMs());
  if ('reason' in peer) return proxyError('PEER_IDENTITY', peer.reason, peer.sentence);
  return peer.id === options.expectedId
    ? peer
    : proxyError('PEER_IDENTITY', 'unexpected_id', `expected ${options.expectedId}, found ${peer.id}`);
};

/** Opens a connection to the sidecar at this address. All its errors are `not-sent`: nothing of a request was written. */
export const dialMtls = (options: DialOptions, callback: DialCallback): Dial => {
  const identity = options.store.current;
  // A peer would refuse it, but in TLS 1.3 only behind our first requests.
  const isExpired = identity !== undefined && identity.notAfterMs <= options.clock.wallMs();
  if (identity === undefined || isExpired) {
    const error = proxyError('CONNECT_FAILED', isExpired ? 'certificate_expired' : 'no_identity');
    const immediate = setImmediate(callback, error, undefined, undefined, undefined);
    return { cancel: () => clearImmediate(immediate) };
  }
  let isConnected = false;
  let isDone = false;
  const socket = connect({
    host: options.host,
    port: options.port,
    secureContext: identity.secureContext,
    ALPNProtocols: [...options.alpn],
    rejectUnauthorized: true,
    // Names mean nothing here: the SPIFFE id is checked below, and is not told to onlookers as SNI.
    servername: '',
    checkServerIdentity: () => undefined,
  });

  const giveUp = (): void => {
    isDone = true;
    timer.cancel();
    // The error listener stays: what a dying socket still says must not stop the process.
    socket.destroy();
  };
  const fail = (error: ProxyError): void => {
    if (isDone) return;
    giveUp();
    callback(error, undefined, undefined, undefined);
  };
  const onError = (error: NodeJS.ErrnoException): void => fail(handshakeError(error, socket, isConnected));

  const timer = options.clock.setTimer(options.timeoutMs, () =>
    fail(proxyError('CONNECT_FAILED', isConnected ? 'tls_timeout' : 'connect_timeout')),
  );
  socket.setNoDelay(true);
  socket.once('connect', () => {
    isConnected = true;
  });
  socket.once('secureConnect', () => {
    if (isDone) return;
    const present = options.store.current ?? identity;
    const peer = checkPeer(socket, present, options);
    if ('code' in peer) return fail(peer);
    isDone = true;
    timer.cancel();
    socket.off('error', onError);
    readIntoScratch(socket);
    callback(undefined, socket, peer, {
      notAfterMs: Math.min(identity.notAfterMs, peer.notAfterMs),
      bundleVersion: present.bundle.version,
    });
  });
  socket.on('error', onError);
  return {
    cancel: () => {
      if (!isDone) giveUp();
    },
  };
};
