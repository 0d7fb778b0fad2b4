/** Servers outside the mesh, with certificates of an authority of the test's own. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  type CertificateAuthority,
  createCertificateAuthority,
  createKeyPair,
  formatPrivateKey,
} from '../../certs/certificate-authority.ts';
import { issueCertificate } from '../../certs/issue-certificate.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { accepted } from './test-mesh.ts';

const DAY_MS = 86_400_000;

export const createWebAuthority = (): CertificateAuthority =>
  accepted(createCertificateAuthority({ trustDomain: 'web.example', nowMs: Date.now() - 30 * DAY_MS, backdateMs: 0 }));

/** For `tls.Server`: good for a day; `ageDays` ago. */
export const webCertificate = (
  authority: CertificateAuthority,
  dnsName: string,
  ageDays = 0,
): { readonly cert: string; readonly key: string } => {
  const { privateKey, publicKey } = createKeyPair();
  const id = accepted(createWorkloadId(authority.trustDomain, 'web', 'server'));
  const nowMs = Date.now() - ageDays * DAY_MS;
  const { chainPem } = issueCertificate(authority, { id, publicKey, nowMs, lifetimeMs: DAY_MS, dnsNames: [dnsName] });
  return { cert: chainPem, key: formatPrivateKey(privateKey) };
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Owned by the test. */
export class TlsServer implements AsyncDisposable {
  /** Connections that were accepted, and requests that came. */
  connections = 0;
  requests = 0;
  /** Requests for `/slow` that have no answer yet, and those of them that were taken back. */
  slow = 0;
  abandoned = 0;
  private waiting: ServerResponse | undefined = undefined;
  private readonly sessions = new Set<ServerHttp2Session>();
  private readonly server: Server | Http2SecureServer;
  private readonly sockets = new Set<Socket>();

  /** `http2`: nothing else. */
  constructor(options: { readonly cert: string; readonly key: string; readonly http2: boolean }, handler: Handler) {
    const count: Handler = (request, response) => {
      this.requests++;
      if (request.url === '/slow') {
        this.slow++;
        this.waiting = response;
        response.once('close', () => {
          this.slow--;
          this.abandoned++;
        });
      }
      handler(request, response);
    };
    this.server = options.http2
      ? createSecureServer(options, count as unknown as Parameters<typeof createSecureServer>[1])
      : createServer(options, count);
    this.server.on('session', (session: ServerHttp2Session) => {
      this.sessions.add(session);
      session.on('close', () => this.sessions.delete(session));
    });
    this.server.on('connection', (socket: Socket) => {
      this.connections++;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => {});
    });
  }

  /** Answers the last request for `/slow`, whose handler must leave it alone. */
  answerSlow(body: string): void {
    this.waiting?.end(body);
  }

  /** Sessions of HTTP/2 take no further requests. */
  goAway(): void {
    for (const session of this.sessions) session.goaway();
  }

  onUpgrade(handler: (request: IncomingMessage, socket: Duplex) => void): void {
    this.server.on('upgrade', handler);
  }

  async listen(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Every connection ends without a word. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }
}

/** The name that the client asked for (SNI). */
export const serverName = (request: IncomingMessage): string => String((request.socket as TLSSocket).servername);
