/**
 * The sidecar channel (:15012): `GET /v1/trust-bundle`, `POST /v1/certificates`, `POST /v1/discovery`.
 *
 * TLS 1.3 from the mesh CA. Client certificates are asked for and not required, because a sidecar has none before its first
 * request; so who calls is decided for each request: by its bearer token, else by its certificate, which is verified here
 * whatever the TLS layer found. `node:http2` is right here: nothing of this is on the data path.
 */
import { constants, type X509Certificate } from 'node:crypto';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { BaseLogger } from 'pino';
import { MAX_CLIENT_LINE_BYTES } from '../../api/discovery.ts';
import { SERVICE_ACCOUNT } from '../../api/service-account.ts';
import { type Refusal, refuse } from '../../certs/refusal.ts';
import { verifySvid } from '../../certs/verify-svid.ts';
import type { Clock } from '../../common/clock.ts';
import { LineReader } from '../../common/json-lines.ts';
import { setWallTimer } from '../../common/wall-timer.ts';
import type { Caller } from '../identity/certificate-issuer.ts';
import type { Identities } from '../identity/identities.ts';
import { CHANNEL_AUDIENCE } from '../identity/service-account-tokens.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { answerCertificates } from './answer-certificates.ts';
import { type ErrorAnswer, errorAnswer } from './error-answer.ts';
import type { PushServer } from './push-server.ts';
import type { SidecarStream } from './sidecar-session.ts';

export interface ChannelOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly identities: Pick<Identities, 'mesh' | 'tokens' | 'issuer' | 'serverCertificate'>;
  readonly store: ResourceStore;
  readonly push: PushServer;
  readonly clock: Clock;
  readonly log: BaseLogger;
}

const HANDSHAKE_MS = 10_000;
/** A connection without a stream. */
const IDLE_MS = 60_000;
const MAX_CONNECTIONS = 20_000;
/** Unsent bytes of one sidecar, above which nothing more is written for it. */
const MAX_UNSENT_BYTES = 1_048_576;

/** Owned by the control plane; lives as long as it. */
export class ChannelServer implements AsyncDisposable {
  readonly #options: ChannelOptions;
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<TLSSocket>();
  /** Connections whose handshake is under way, by the other end's address. */
  readonly #handshakes = new Map<string, Socket>();

  /** @throws what `listen` says. */
  static async start(options: ChannelOptions): Promise<ChannelServer> {
    const channel = new ChannelServer(options);
    await channel.#listen();
    return channel;
  }

  private constructor(options: ChannelOptions) {
    this.#options = options;
    const credentials = () => ({
      ...options.identities.serverCertificate.credentials,
      ca: options.identities.mesh.bundle.pem,
      minVersion: 'TLSv1.3' as const,
      // Each connection proves anew who is there.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    this.#server = createSecureServer({
      ...credentials(),
      requestCert: true,
      rejectUnauthorized: false,
      allowHTTP1: true,
      handshakeTimeout: HANDSHAKE_MS,
      settings: { maxConcurrentStreams: 16 },
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    options.identities.serverCertificate.onRenewed(() => this.#server.setSecureContext(credentials()));
    this.#server.on('connection', (socket: Socket) => {
      const peer = peerOf(socket);
      this.#handshakes.set(peer, socket);
      socket.once('close', () => this.#handshakes.delete(peer));
    });
    this.#server.on('secureConnection', socket => {
      this.#handshakes.delete(peerOf(socket));
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    this.#server.on('session', (session: ServerHttp2Session) => session.setTimeout(IDLE_MS, () => session.close()));
    this.#server.on('sessionError', error =>
      options.log.debug({ err: error }, 'a connection of the sidecar channel failed'),
    );
    this.#server.on('request', (request, response) => {
      // Errors of a stream end that stream; its `close` event says the rest.
      request.on('error', () => {});
      response.on('error', () => {});
      this.#route(request, response).catch((error: unknown) => {
        options.log.error({ err: error }, 'a request of the sidecar channel failed');
        if (!response.headersSent)
          answer(response, errorAnswer(500, 'InternalError', 'The control plane failed; its log says why.'));
      });
    });
  }

  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    for (const socket of this.#handshakes.values()) socket.destroy();
    await closed;
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  async #route(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const path = request.url.split('?', 1)[0];
    const allowed =
      path === '/v1/trust-bundle' ? 'GET' : path === '/v1/certificates' || path === '/v1/discovery' ? 'POST' : '';
    if (allowed === '')
      return answer(
        response,
        errorAnswer(
          404,
          'NotFound',
          `There is no ${path} here: see /v1/trust-bundle, /v1/certificates and /v1/discovery.`,
        ),
      );
    if (request.method !== allowed) {
      response.setHeader('allow', allowed);
      return answer(response, errorAnswer(405, 'MethodNotAllowed', `${path} takes ${allowed}.`));
    }
    if (path === '/v1/trust-bundle') {
      response.writeHead(200, { 'content-type': 'application/x-pem-file' });
      response.end(this.#options.identities.mesh.bundle.pem);
      return;
    }
    if (path === '/v1/discovery') return this.#discover(request, response);
    const caller = await this.#authenticate(request);
    if ('reason' in caller) {
      response.setHeader('www-authenticate', `Bearer error="invalid_token", error_description="${caller.reason}"`);
      return answer(response, errorAnswer(401, 'Unauthorized', caller.sentence));
    }
    return answerCertificates(request, caller, this.#options.identities, this.#options.clock).then(result =>
      answer(response, result),
    );
  }

  /** By token where there is one, else by certificate. */
  async #authenticate(request: Http2ServerRequest): Promise<Caller | Refusal> {
    const { identities, store } = this.#options;
    const header = request.headers.authorization;
    const address = request.socket.remoteAddress ?? '';
    if (header === undefined) {
      const peer = this.#peer(request);
      return 'reason' in peer
        ? refuse(
            peer.reason,
            `${peer.sentence} Send a service account token as a bearer token, or show a valid certificate.`,
          )
        : { namespace: peer.namespace, serviceAccount: peer.serviceAccount, by: 'certificate', address };
    }
    const token = /^Bearer ([^\s]+)$/i.exec(header)?.[1];
    if (token === undefined) return refuse('token_malformed', 'The header Authorization must be "Bearer" and a token.');
    const subject = await identities.tokens.verify(token, CHANNEL_AUDIENCE);
    if ('reason' in subject) return subject;
    const account = await store.get(SERVICE_ACCOUNT, subject.namespace, subject.serviceAccount);
    if (account?.metadata.uid !== subject.uid)
      return refuse(
        'token_account',
        `The service account ${subject.namespace}/${subject.serviceAccount} of the token no longer exists.`,
      );
    return { namespace: subject.namespace, serviceAccount: subject.serviceAccount, by: 'token', address };
  }

  #peer(request: Http2ServerRequest): (Caller & { readonly identity: string; readonly notAfterMs: number }) | Refusal {
    const {
      identities: { mesh },
      clock,
    } = this.#options;
    const chain = peerChain(request.socket as TLSSocket);
    const verified = verifySvid(chain, mesh.bundle, clock.wallMs());
    if ('reason' in verified) return verified;
    const { id } = verified;
    if (id.trustDomain !== mesh.authority.trustDomain || id.serviceAccount === '')
      return refuse('foreign_identity', `${id.uri} is not a workload of ${mesh.authority.trustDomain}.`);
    return {
      namespace: id.namespace,
      serviceAccount: id.serviceAccount,
      by: 'certificate',
      address: request.socket.remoteAddress ?? '',
      identity: id.uri,
      notAfterMs: chain[0]?.validToDate.getTime() ?? 0,
    };
  }

  #discover(request: Http2ServerRequest, response: Http2ServerResponse): void {
    const { push, clock } = this.#options;
    const peer = this.#peer(request);
    if ('reason' in peer) {
      answer(response, errorAnswer(401, 'Unauthorized', peer.sentence));
      return;
    }
    if (request.httpVersionMajor < 2) {
      answer(response, errorAnswer(505, 'HTTPVersionNotSupported', '/v1/discovery is a stream of HTTP/2.'));
      return;
    }
    // Heartbeats keep it alive, and end it.
    request.stream.session?.setTimeout(0);
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const session = push.accept(
      {
        namespace: peer.namespace,
        serviceAccount: peer.serviceAccount,
        identity: peer.identity,
        address: `${peer.address}:${request.socket.remotePort}`,
        certificateExpiresAtMs: peer.notAfterMs,
      },
      streamOf(response),
    );
    // Nothing outlives a certificate, theirs or ours; most sidecars have opened another stream with their next one before this.
    const ownEndMs = (request.socket as TLSSocket).getX509Certificate()?.validToDate.getTime() ?? 0;
    const expired = setWallTimer(clock, Math.min(peer.notAfterMs, ownEndMs), () =>
      session.refuse('the certificate of this connection has expired', true),
    );
    const lines = new LineReader(MAX_CLIENT_LINE_BYTES, line => session.receive(line));
    request.on('data', (chunk: Buffer) => {
      if (!session.closed && !lines.push(chunk))
        session.refuse(`a line must be at most ${MAX_CLIENT_LINE_BYTES} bytes`, false);
    });
    request.once('end', () => session.close());
    response.once('close', () => {
      expired.cancel();
      session.close();
    });
  }
}

const streamOf = (response: Http2ServerResponse): SidecarStream => ({
  write: line => response.write(line) || response.stream.writableLength < MAX_UNSENT_BYTES,
  onDrain: fn => void response.stream.once('drain', fn),
  end: () => void response.end(),
  destroy: () => response.stream.close(),
});

const answer = (response: Http2ServerResponse, { status, body }: ErrorAnswer): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
};

/** Leaf first; what came with it as far as it fits together. Empty: none was shown. */
const peerChain = (socket: TLSSocket): readonly X509Certificate[] => {
  const chain: X509Certificate[] = [];
  for (let link = socket.getPeerX509Certificate?.(); link !== undefined; link = link.issuerCertificate)
    chain.push(link);
  return chain;
};

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
