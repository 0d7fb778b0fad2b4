/**
 * The server's end of mTLS: raw sockets in, connections with a known peer out.
 *
 * One `tls.Server` that never listens gets every socket by its 'connection' event. A bare server-side `new TLSSocket` would not do:
 * it delivers the bytes of self-signed clients, whatever `rejectUnauthorized` says.
 */
import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Clock } from '../../common/clock.ts';
import { readIntoScratch } from '../../common/read-into-scratch.ts';
import type { IdentityView } from './certificate-store.ts';
import type { Identity } from './identity.ts';
import type { LinkValidity } from './link-validity.ts';
import { type PeerIdentity, readPeerIdentity } from './peer-identity.ts';

export interface MtlsTerminatorOptions {
  readonly store: IdentityView;
  readonly clock: Clock;
  /** Application protocols in order of preference (RFC 7301). A client that offers none of them is refused. */
  readonly alpn: readonly string[];
  /** From `accept` to the end of the handshake. */
  readonly handshakeTimeoutMs: number;
  /** Handshakes under way at once; more are refused, because each costs a peer little and us a signature. */
  readonly maxHandshakes: number;
  /** Called before any byte of the peer was read; read on in the same turn or pause. */
  readonly onConnection: (socket: TLSSocket, peer: PeerIdentity, alpn: string, validity: LinkValidity) => void;
  /** `reason`: machine-readable, one of this file's, of `SvidReason`, or OpenSSL's own in lower case. */
  readonly onRefused: (reason: string, remoteAddress: string) => void;
}

export interface MtlsTerminator {
  /** Takes over a connected socket. `firstBytes`: what was already read from it to tell its protocol. */
  accept(socket: Socket, firstBytes?: Buffer): void;
  /** Handshakes under way. */
  readonly handshakes: number;
  /** Takes no more sockets. Connections stay. */
  close(): void;
}

/** `ERR_SSL_X`, errno or OpenSSL's verify result, all in the one form. */
const refusalReason = (error: NodeJS.ErrnoException, socket: TLSSocket): string => {
  const authorization: unknown = socket.authorizationError; // a code, though the types say Error
  // UNSPECIFIED: a verify result that Node has no name for, such as a signature by a leaf or a weak key.
  if (authorization === 'UNSPECIFIED') return 'untrusted';
  const code = typeof authorization === 'string' ? authorization : (error.code ?? 'unknown');
  return code.toLowerCase().replace(/^err_(ssl|tls)_/, '');
};

export const createMtlsTerminator = (options: MtlsTerminatorOptions): MtlsTerminator => {
  const { store, clock, onConnection, onRefused } = options;
  let handshakes = 0;
  let closed = false;

  const server = createServer({
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: [...options.alpn],
    handshakeTimeout: options.handshakeTimeoutMs,
  });
  // Future handshakes only: open connections keep the context that they began with.
  const use = (identity: Identity): void => server.setSecureContext(identity.tlsOptions);
  if (store.current !== undefined) use(store.current);
  const stopListening = store.onChange(use);

  const refuse = (socket: Socket, reason: string): void => {
    const address = socket.remoteAddress ?? '';
    socket.destroy();
    onRefused(reason, address);
  };

  // Node emits exactly one of these two for each socket that it was given.
  server.on('secureConnection', (socket: TLSSocket) => {
    handshakes--;
    const bundle = store.current?.bundle;
    if (bundle === undefined) return refuse(socket, 'no_identity');
    const { alpnProtocol } = socket;
    if (typeof alpnProtocol !== 'string') return refuse(socket, 'no_application_protocol');
    const peer = readPeerIdentity(socket, bundle, clock.wallMs());
    if ('reason' in peer) return refuse(socket, peer.reason);
    socket.setNoDelay(true);
    readIntoScratch(socket);
    // What we showed, which may not be the store's present one: that may have changed during the handshake.
    const ownEndMs = socket.getX509Certificate()?.validToDate.getTime() ?? 0;
    const validity = { notAfterMs: Math.min(ownEndMs, peer.notAfterMs), bundleVersion: bundle.version };
    onConnection(socket, peer, alpnProtocol, validity);
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    handshakes--;
    refuse(socket, refusalReason(error, socket));
  });

  return {
    accept(socket, firstBytes) {
      if (socket.destroyed) return;
      // Nothing of ours listens for errors between here and the TLS socket's own listeners.
      if (closed) return refuse(socket, 'closed');
      if (store.current === undefined) return refuse(socket, 'no_identity');
      if (handshakes >= options.maxHandshakes) return refuse(socket, 'too_many_handshakes');
      handshakes++;
      // A peer that gives up in the middle of the handshake is let go at once: nothing can come of it any more.
      socket.allowHalfOpen = false;
      if (firstBytes !== undefined && firstBytes.length > 0) socket.unshift(firstBytes);
      server.emit('connection', socket);
    },
    get handshakes() {
      return handshakes;
    },
    close() {
      closed = true;
      stopListening();
    },
  };
};
