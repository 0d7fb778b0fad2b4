/** Both ends of mTLS for tests: ours on a real port, and a bare peer that may hold any certificate. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { systemClock } from '../../common/clock.ts';
import type { ProxyError } from '../../sidecar/errors/proxy-error.ts';
import { CertificateStore } from '../../sidecar/identity/certificate-store.ts';
import { type DialOptions, dialMtls } from '../../sidecar/identity/originate-mtls.ts';
import type { PeerIdentity } from '../../sidecar/identity/peer-identity.ts';
import {
  createMtlsTerminator,
  type MtlsTerminator,
  type MtlsTerminatorOptions,
} from '../../sidecar/identity/terminate-mtls.ts';
import { identityMaterial, type KeyedCertificate, type TestMesh } from './peer-certificates.ts';

/** A store that holds this certificate. */
export const storeWith = (mesh: TestMesh, svid: KeyedCertificate): CertificateStore => {
  const store = new CertificateStore({ clock: systemClock });
  const refusal = store.replace(identityMaterial(svid, mesh.bundle));
  if (refusal !== undefined) throw new Error(refusal.sentence);
  return store;
};

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

export interface TerminatorUnderTest extends AsyncDisposable {
  readonly port: number;
  readonly terminator: MtlsTerminator;
  readonly connections: { readonly socket: TLSSocket; readonly peer: PeerIdentity; readonly alpn: string }[];
  readonly refusals: string[];
  /** The raw sockets that are open. */
  readonly accepted: ReadonlySet<Socket>;
  /** All bytes that came out of mTLS. */
  readonly received: () => string;
}

/** `direct`: the socket as it was accepted; `peeked`: after its first bytes were read, as protocol detection does. */
export type AcceptPath = 'direct' | 'peeked';

/** Our server's end. It answers every chunk with the same bytes. */
export const startTerminator = async (
  store: CertificateStore,
  path: AcceptPath,
  options: Partial<MtlsTerminatorOptions> = {},
): Promise<TerminatorUnderTest> => {
  const connections: { socket: TLSSocket; peer: PeerIdentity; alpn: string }[] = [];
  const refusals: string[] = [];
  const sockets = new Set<Socket>();
  let received = '';
  const terminator = createMtlsTerminator({
    store,
    clock: systemClock,
    alpn: ['outrider/1', 'h2'],
    handshakeTimeoutMs: 5_000,
    maxHandshakes: 100,
    onConnection: (socket, peer, alpn) => {
      connections.push({ socket, peer, alpn });
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
        socket.write(chunk);
      });
    },
    onRefused: reason => refusals.push(reason),
    ...options,
  });
  const server = createServer(socket => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    if (path === 'direct') return terminator.accept(socket);
    socket.once('data', (chunk: Buffer) => {
      socket.pause();
      terminator.accept(socket, chunk);
    });
  });
  return {
    port: await listen(server),
    terminator,
    connections,
    refusals,
    accepted: sockets,
    received: () => received,
    [Symbol.asyncDispose]: async () => {
      terminator.close();
      for (const { socket } of connections) socket.destroy();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
};

/** A TLS client that says `secret` as soon as it can, and what it heard until the end: at its first answer it hangs up. */
export const tellSecret = (
  port: number,
  options: ConnectionOptions,
): Promise<{ readonly heard: string; readonly error: string }> =>
  new Promise(resolve => {
    let [heard, error] = ['', ''];
    const socket = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['outrider/1'],
      checkServerIdentity: () => undefined,
      ...options,
    });
    socket.on('secureConnect', () => socket.write('secret'));
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      socket.end();
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message;
    });
    socket.on('close', () => resolve({ heard, error }));
  });

/** As a TLS peer with this certificate: weak keys too, which OpenSSL refuses to load otherwise. */
export const asPeer = (svid: KeyedCertificate) => ({
  cert: svid.certificatePem,
  key: svid.keyPem,
  ciphers: 'DEFAULT:@SECLEVEL=0',
});

/** A bare TLS server, with whatever certificate. Echoes. */
export const startTlsServer = async (
  options: TlsOptions,
): Promise<{ readonly port: number; readonly received: () => string } & AsyncDisposable> => {
  let received = '';
  const sockets = new Set<Socket>();
  const server = createTlsServer(
    { ALPNProtocols: ['outrider/1'], requestCert: true, rejectUnauthorized: false, ...options },
    socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
        socket.write(chunk);
      });
    },
  );
  server.on('connection', (socket: Socket) => sockets.add(socket));
  return {
    port: await listen(server),
    received: () => received,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
};

export type Dialled = { readonly socket: TLSSocket; readonly peer: PeerIdentity } | { readonly error: ProxyError };

/** `dialMtls` as a promise, with defaults for tests. */
export const dial = (
  options: Partial<DialOptions> & Pick<DialOptions, 'port' | 'expectedId' | 'store'>,
): Promise<Dialled> =>
  new Promise(resolve => {
    dialMtls(
      { host: '127.0.0.1', clock: systemClock, alpn: ['outrider/1'], timeoutMs: 5_000, ...options },
      (error, socket, peer) => resolve(error === undefined ? { socket: socket!, peer: peer! } : { error }),
    );
  });
