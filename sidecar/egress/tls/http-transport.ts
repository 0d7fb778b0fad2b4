import type { TLSSocket } from 'node:tls';
import type { Agent } from 'http2-wrapper';
import type { Pool } from 'undici';
import { proxyError } from '../../errors/proxy-error.ts';
import { type FieldList, Fields, NO_FIELDS, type RequestHead, ResponseHead } from '../../protocol/head.ts';
import type { CircuitBreaker } from '../../resilience/circuit-breaker.ts';
import type { Attempt, Transport } from '../../upstream/transport.ts';
import type { DialServer } from './dial-server.ts';
import { DialFailure, failureOf } from './failure.ts';
import { expectsContinue, requestFields } from './fields.ts';
import { Http1Request } from './http1-request.ts';
import { Http2Request, toObject } from './http2-request.ts';
import { Line, type Place } from './place.ts';

const HTTP1 = 'http/1.1';
/** What one HTTP/2 stream may bring before it is read. */
const WINDOW_BYTES = 262_144;
const CONTINUE = (): ResponseHead => new ResponseHead(100, new Fields(NO_FIELDS));

export interface HttpTransportOptions {
  readonly dial: DialServer;
  readonly breaker: CircuitBreaker;
  /** `host:port`, by the name in the server's certificate. */
  readonly authority: string;
  /** HTTP/2 and nothing else, as gRPC needs it. */
  readonly http2: boolean;
}

/** The packages that carry what goes there; loaded when there is something to carry. */
interface Carriers {
  readonly pool: Pool;
  readonly newAgent: () => Agent;
  /** What the server chooses to speak; with the connection that asked it. */
  readonly negotiate: () => Promise<{ readonly alpnProtocol: unknown; readonly socket?: TLSSocket }>;
}

/**
 * HTTP over TLS to one server outside: HTTP/2 where it offers that by ALPN (RFC 7301), on sessions of http2-wrapper, else HTTP/1.1 through a pool of
 * undici. Owned by its server's transports; lives as long as its endpoint.
 */
export class HttpTransport implements Transport {
  private readonly options: HttpTransportOptions;
  private readonly line: Line;
  private readonly sockets = new Set<TLSSocket>();
  private readonly dials = new Set<() => void>();
  /** What the server chose, by what it was offered; forgotten when a dial fails. */
  private readonly chosen = new Map<string, string>();
  private carriers: Promise<Carriers> | undefined = undefined;
  private pool: Pool | undefined = undefined;
  private agent: Agent | undefined = undefined;
  /** The connection that was asked for the protocol, until somebody uses it. */
  private spare: TLSSocket | undefined = undefined;
  private draining = false;

  constructor(options: HttpTransportOptions) {
    this.options = options;
    this.line = new Line(options.breaker);
  }

  get connections(): number {
    return this.sockets.size;
  }

  send(attempt: Attempt, head: RequestHead, volatile: FieldList): void {
    const place = this.line.enter(attempt, head, volatile);
    if (place === undefined) attempt.attemptFailed(proxyError('OVERFLOW', 'pending_requests'));
    else void this.carry(place);
  }

  private async carry(place: Place): Promise<void> {
    try {
      this.carriers ??= this.load();
      const { pool, newAgent, negotiate } = await this.carriers;
      const { alpnProtocol, socket } = await negotiate();
      this.keepSpare(socket);
      if (alpnProtocol === 'h2') await this.carryByHttp2(place, newAgent);
      else this.carryByHttp1(place, pool);
    } catch (thrown) {
      if (place.leave()) place.attempt.attemptFailed(failureOf(thrown, false));
    }
  }

  private carryByHttp1(place: Place, pool: Pool): void {
    const { attempt, head, volatile } = place;
    const request = new Http1Request(place);
    const headers = requestFields(head, volatile);
    if (head.authority !== '') headers.push('host', head.authority);
    pool.dispatch({ method: head.method, path: head.path, headers, body: request.body }, request);
    if (expectsContinue(head)) attempt.informational(CONTINUE());
  }

  private async carryByHttp2(place: Place, newAgent: () => Agent): Promise<void> {
    const { attempt, head, volatile } = place;
    this.agent ??= newAgent();
    const headers = {
      ':method': head.method,
      ':scheme': 'https',
      ':authority': head.authority || this.options.authority,
      ':path': head.path,
      ...toObject(requestFields(head, volatile)),
    };
    const { headOnly } = attempt;
    const session = { endStream: headOnly, waitForTrailers: !headOnly };
    const stream = await this.agent.request(`https://${this.options.authority}`, {}, headers, session);
    const request = new Http2Request(attempt, stream);
    if (!place.leave()) return request.reset();
    attempt.forwardTo(request, false);
    if (expectsContinue(head)) attempt.informational(CONTINUE());
  }

  private async load(): Promise<Carriers> {
    const [{ Pool }, { Agent, auto }] = await Promise.all([import('undici'), import('http2-wrapper')]);
    const { authority, breaker, http2 } = this.options;
    const connections = Math.max(1, breaker.limits.maxConnections);
    const connect = (alpn: readonly string[]): Promise<TLSSocket> => this.connect(alpn);
    this.pool = new Pool(`http://${authority}`, {
      connections,
      // The exchange has its own.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_, done) => {
        connect([HTTP1]).then(
          socket => done(null, socket),
          (error: Error) => done(error, null),
        );
      },
    });
    class ServerAgent extends Agent {
      override createConnection(): Promise<TLSSocket> {
        return connect(['h2']);
      }
    }
    const alpn = http2 ? ['h2'] : ['h2', HTTP1];
    const resolve = auto.createResolveProtocol(this.chosen, new Map(), async (options, done) => {
      const socket = await connect(options.ALPNProtocols as string[]);
      done();
      return socket;
    });
    return {
      pool: this.pool,
      newAgent: () => {
        const agent = new ServerAgent({ maxSessions: connections });
        agent.settings = { enablePush: false, initialWindowSize: WINDOW_BYTES };
        // It would give further requests to a session whose server is leaving.
        agent.on('session', session => session.once('goaway', () => this.retire(agent)).on('error', ignore));
        return agent;
      },
      negotiate: () => {
        const options = { host: authority, ALPNProtocols: [...alpn], resolveSocket: true };
        return resolve(options);
      },
    };
  }

  /** An open connection, counted until it closes. @throws DialFailure */
  private connect(alpn: readonly string[]): Promise<TLSSocket> {
    const { spare } = this;
    if (spare !== undefined && alpn.includes(spare.alpnProtocol || HTTP1)) {
      this.spare = undefined;
      return Promise.resolve(spare);
    }
    const { breaker, dial } = this.options;
    return new Promise((resolve, reject) => {
      const cancel = dial(alpn, (error, socket) => {
        this.dials.delete(cancel);
        if (socket === undefined) {
          this.chosen.clear();
          reject(new DialFailure(error ?? proxyError('CONNECT_FAILED', 'connect')));
          return;
        }
        // The packages hold to the limit; what counts here is shared with other addresses of the destination.
        breaker.force('connections');
        this.sockets.add(socket);
        socket.once('close', () => {
          this.sockets.delete(socket);
          breaker.give('connections');
          if (this.spare === socket) this.spare = undefined;
        });
        resolve(socket);
      });
      this.dials.add(cancel);
    });
  }

  private keepSpare(socket: TLSSocket | undefined): void {
    if (socket === undefined) return;
    if (this.draining || this.spare !== undefined) socket.destroy();
    else if (!socket.destroyed) this.spare = socket;
  }

  private retire(agent: Agent): void {
    if (this.agent === agent) this.agent = undefined;
    agent.maxEmptySessions = 0;
    agent.closeEmptySessions();
  }

  forget(attempt: Attempt): void {
    this.line.remove(attempt);
  }

  drain(): void {
    this.draining = true;
    for (const place of this.line.all())
      if (place.leave()) place.attempt.attemptFailed(proxyError('CONNECT_FAILED', 'endpoint_gone'));
    this.spare?.destroy();
    this.pool?.close().catch(ignore);
    if (this.agent !== undefined) this.retire(this.agent);
  }

  close(): void {
    this.drain();
    for (const cancel of this.dials) cancel();
    this.dials.clear();
    for (const socket of this.sockets) socket.destroy();
  }
}

const ignore = (): void => {};
