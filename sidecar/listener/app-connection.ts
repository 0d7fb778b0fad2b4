import { randomUUID } from 'node:crypto';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { SNI_PREFIX } from '../../api/discovery.ts';
import type { Clock } from '../../common/clock.ts';
import { readIntoScratch } from '../../common/read-into-scratch.ts';
import type { ClientHello } from '../detect/client-hello.ts';
import { detectHttp, detectProtocol } from '../detect/detect-protocol.ts';
import { type DetectedRedirected, detectRedirected, detectTls } from '../detect/detect-redirected.ts';
import { type DetectedThrift, detectThrift } from '../detect/detect-thrift.ts';
import { ConnectTunnel } from '../egress/connect-tunnel.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import { answerTo } from '../errors/respond-to-error.ts';
import { Exchange, type ExchangeContext } from '../exchange.ts';
import type { AppOrigin, PlainOrigin } from '../origin.ts';
import { HTTP2_SHAPE, type RequestHead } from '../protocol/head.ts';
import { HessianHeads } from '../protocol/hessian/call-heads.ts';
import { Http1RequestHeads } from '../protocol/http1/request-heads.ts';
import { Http1ServerConnection, type Http1ServerContext } from '../protocol/http1/serve.ts';
import { Http2ServerConnection } from '../protocol/http2/serve.ts';
import type { BlockPool } from '../protocol/outbox.ts';
import type { Downstream, OnRequest, RequestSink } from '../protocol/stream.ts';
import { TcpServerConnection, tcpRequestHead } from '../protocol/tcp/serve.ts';
import { CallHeads } from '../protocol/thrift/call-heads.ts';
import { ThriftServerConnection } from '../protocol/thrift/serve.ts';
import { beginExchanges } from './begin-exchanges.ts';
import type { Connections, ServerConnection } from './connections.ts';
import { refusalOf, refuseRequest } from './refuse-request.ts';

/** Streams that one app connection may have open. */
const MAX_CONCURRENT_STREAMS = 1_000;
/** Calls of one Thrift connection, where they may be under way at once. */
const MAX_PARALLEL_CALLS = 100;
/** A redirected client that says nothing for so long waits for the server to speak first. */
const SILENT_MS = 50;

export interface AppConnectionOptions {
  readonly exchange: ExchangeContext;
  /** Of requests whose head could not be read. */
  readonly refused: ExchangeContext;
  readonly connections: Connections;
  readonly blocks: BlockPool;
  readonly clock: Clock;
  /** Calls back, perhaps at once, when it is known what is behind a name, or will not be. */
  readonly whenFound: (target: string, done: () => void) => void;
  /** True when the service behind `target` is raw TCP: nothing is read into the bytes. */
  readonly isRawTcp: (target: string) => boolean;
  /** True when the service behind `target` is declared as Thrift: its calls are read, unless they are of a kind that is passed on as TCP. */
  readonly isThrift: (target: string) => boolean;
  /** True when a rule of the service behind `target` says that Thrift calls with this head get no reply. */
  readonly isOneway: (target: string, head: RequestHead) => boolean;
  /** True when the Thrift calls of one connection to `target` may be under way at once. */
  readonly pipelines: (target: string) => boolean;
  /** True when the service behind `target` is declared as Hessian: what is posted there may be a call, whatever its content type. */
  readonly isHessian: (target: string) => boolean;
  /** True when there is a service by this name: CONNECT to another one leads out of the mesh, or nowhere. */
  readonly isKnown: (target: string) => boolean;
  /** True when TLS to a `target` that is no service may lead to a server outside that has a name here: its client says which. Absent: never. */
  readonly mayBeNamed?: (target: string) => boolean;
  /** Takes a redirected connection to `target` that begins with this ClientHello, as of a peer of the mesh. False: it is the app's own TLS. Absent: it always is. */
  readonly acceptMeshTls?: (socket: net.Socket, hello: ClientHello, firstBytes: Buffer, target: string) => boolean;
  /** A connection broke its protocol before there was an exchange. */
  readonly onProtocolError: (error: ProxyError) => void;
}

/** The heads of connections that go the same way: interned together, since their plans are the same. */
export interface AppListenerState {
  readonly origin: AppOrigin | PlainOrigin;
  readonly calls: CallHeads;
  readonly hessian: HessianHeads;
  readonly heads: Http1RequestHeads;
  /** Its servers speak first: nothing is looked at any more, since it would only be waited for. */
  serverFirst: boolean;
}

/** `target`: the service that the listener stands for; undefined: each request says by its authority. */
export const appListenerState = (target: string | undefined): AppListenerState => ({
  origin: { link: false, target },
  calls: new CallHeads(),
  hessian: new HessianHeads(),
  heads: new Http1RequestHeads(),
  serverFirst: false,
});

/** The same for clients without a mesh certificate, at one port of the app. */
export const plainListenerState = (port: number): AppListenerState => ({
  ...appListenerState(undefined),
  origin: { link: false, target: undefined, port },
});

/** Connections from the app beside us: tells the protocol, and makes exchanges of what comes in. */
export class AppConnections {
  private readonly options: AppConnectionOptions;
  private readonly outside = appListenerState(undefined);

  constructor(options: AppConnectionOptions) {
    this.options = options;
  }

  /** Takes an accepted connection of a listener. */
  accept(socket: net.Socket, state: AppListenerState): void {
    readIntoScratch(socket);
    this.serve(socket, state);
  }

  /** Takes a connection that the kernel redirected on its way to `target` (`address:port`): to that service, or on to where it was going. */
  acceptRedirected(socket: net.Socket, state: AppListenerState, target: string): void {
    const { isKnown, isRawTcp, isThrift } = this.options;
    readIntoScratch(socket);
    this.whenFound(socket, target, () => {
      if (!isKnown(target)) this.serveUnknown(socket, state, target);
      else if (state.serverFirst || isRawTcp(target)) this.serveTcp(socket, state, target);
      else if (isThrift(target)) this.serveThrift(socket, state, target);
      else this.serveRedirected(socket, state, target);
    });
  }

  /** To what is no service. A server outside may have a name here, which TLS says. */
  private serveUnknown(socket: net.Socket, state: AppListenerState, target: string): void {
    const asBytes = (): void => this.serveTcp(socket, this.outside, target);
    if (state.serverFirst || this.options.mayBeNamed?.(target) !== true) return asBytes();
    this.look(socket, state, detectTls, asBytes, (detected, bytes) => {
      socket.pause();
      socket.unshift(bytes);
      if (detected === 'tcp' || detected.serverName === '') return asBytes();
      const authority = `${detected.serverName}${target.slice(target.lastIndexOf(':'))}`;
      const name = SNI_PREFIX + authority;
      this.whenFound(socket, name, () => {
        if (this.options.isKnown(name)) this.serveTcp(socket, appListenerState(name), authority, 'https');
        else asBytes();
      });
    });
  }

  /** One look at the first bytes. A client that waits for its server to speak first is not kept waiting, and not at all once one did. */
  private look<Told>(
    socket: net.Socket,
    state: AppListenerState,
    detect: (bytes: Buffer) => Told | undefined,
    onSilent: () => void,
    onTold: (detected: Told, bytes: Buffer) => void,
  ): void {
    const { connections, clock } = this.options;
    const waiting: ServerConnection = { drain: () => {}, close: () => socket.destroy() };
    const told = (): void => connections.remove(waiting);
    connections.add(waiting);
    const done = (detected: Told, bytes: Buffer): void => {
      told();
      onTold(detected, bytes);
    };
    detectProtocol(socket, clock, detect, done, told, {
      afterMs: SILENT_MS,
      onSilent: () => {
        socket.once('data', () => {
          if (socket.bytesWritten > 0) state.serverFirst = true;
        });
        told();
        onSilent();
      },
    });
  }

  /** Nobody had to declare what an app speaks, so its own TLS, and whatever else is not HTTP, goes on as bytes. */
  private serveRedirected(socket: net.Socket, state: AppListenerState, authority: string): void {
    const asBytes = (): void => this.serveTcp(socket, state, authority);
    this.look<DetectedRedirected>(socket, state, detectRedirected, asBytes, (detected, bytes) => {
      if (detected === 'http1') return this.serveHttp1(socket, state).push(bytes);
      if (detected === 'http2') return this.serveHttp2(socket, state, HTTP2_SHAPE).push(bytes);
      if (detected !== 'tcp' && this.options.acceptMeshTls?.(socket, detected, bytes, authority) === true) return;
      socket.unshift(bytes);
      this.serveTcp(socket, state, authority, detected === 'tcp' ? 'http' : 'https');
    });
  }

  private serve(socket: net.Socket, state: AppListenerState): void {
    const { target } = state.origin;
    if (target === undefined) return this.serveHttp(socket, state);
    this.whenFound(socket, target, () => {
      if (this.options.isRawTcp(target)) this.serveTcp(socket, state, target);
      else if (this.options.isThrift(target)) this.serveThrift(socket, state, target);
      else this.serveHttp(socket, state);
    });
  }

  /** A connection whose target is not known yet waits unread; one that ends meanwhile is forgotten. */
  private whenFound(socket: net.Socket, target: string, done: () => void): void {
    const ignore = (): void => {};
    socket.on('error', ignore);
    this.options.whenFound(target, () => {
      socket.off('error', ignore);
      if (!socket.destroyed) done();
    });
  }

  private serveHttp(socket: net.Socket, state: AppListenerState): void {
    const waiting: ServerConnection = { drain: () => {}, close: () => socket.destroy() };
    this.options.connections.add(waiting);
    detectProtocol(
      socket,
      this.options.clock,
      detectHttp,
      (detected, bytes) => {
        this.options.connections.remove(waiting);
        const connection = detected === 'http2' ? this.serveHttp2(socket, state) : this.serveHttp1(socket, state);
        connection.push(bytes);
      },
      () => this.options.connections.remove(waiting),
    );
  }

  private serveThrift(socket: net.Socket, state: AppListenerState, target: string): void {
    const { connections, clock, exchange, isOneway, pipelines, onProtocolError } = this.options;
    const waiting: ServerConnection = { drain: () => socket.destroy(), close: () => socket.destroy() };
    connections.add(waiting);
    const serve = (detected: DetectedThrift, bytes: Buffer): void => {
      connections.remove(waiting);
      if (detected === 'tcp') {
        socket.unshift(bytes);
        return this.serveTcp(socket, state, target);
      }
      const connection: ThriftServerConnection = new ThriftServerConnection(socket, {
        ...detected,
        authority: target,
        heads: state.calls,
        isOneway: head => isOneway(target, head),
        maxParallel: pipelines(target) ? MAX_PARALLEL_CALLS : 1,
        account: exchange.account,
        onRequest: this.onRequest(state),
        onProtocolError,
        onClose: () => connections.remove(connection),
      });
      connections.add(connection);
      connection.push(bytes);
    };
    detectProtocol(socket, clock, detectThrift, serve, () => connections.remove(waiting));
  }

  private onRequest(state: AppListenerState): OnRequest {
    const { isHessian } = this.options;
    const { origin, hessian } = state;
    const target = 'port' in origin ? `127.0.0.1:${origin.port}` : origin.target;
    return beginExchanges(this.options, origin, {
      heads: hessian,
      answersFaults: true,
      isDeclared: head => isHessian(target ?? head.authority),
    });
  }

  private serveHttp1(socket: net.Socket, state: AppListenerState): Http1ServerConnection {
    const { connections, clock, exchange, onProtocolError, refused } = this.options;
    const context: Http1ServerContext = {
      heads: state.heads,
      account: exchange.account,
      clock,
      answerError: (error, request) => {
        const exchange = request?.behind ?? request;
        return exchange instanceof Exchange ? answerTo(error, exchange) : refusalOf(refused, state.origin, error);
      },
    };
    const handler = {
      onRequest: this.onRequest(state),
      onProtocolError,
      onClose: () => connections.remove(connection),
      ...(state.origin.target === undefined &&
        !('port' in state.origin) && {
          onConnect: (raw: Duplex, authority: string, leftover: Buffer) => {
            connections.remove(connection);
            this.openTunnel(raw as net.Socket, authority, leftover);
          },
        }),
    };
    const connection: Http1ServerConnection = new Http1ServerConnection(socket, context, handler);
    connections.add(connection);
    return connection;
  }

  /** CONNECT from a client that takes us for its HTTP proxy: the protocol inside is looked at, the target stays. */
  private openTunnel(socket: net.Socket, authority: string, leftover: Buffer): void {
    this.whenFound(socket, authority, () => {
      if (leftover.length > 0) socket.unshift(leftover);
      if (!this.options.isKnown(authority)) return this.leaveMesh(socket, authority);
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      this.serve(socket, appListenerState(authority));
    });
  }

  /** CONNECT to what is not in the mesh: its bytes are passed on as they are, or the answer says why not. */
  private leaveMesh(socket: net.Socket, authority: string): void {
    const { connections, exchange } = this.options;
    const carries: RequestSink[] = [];
    const handle: ServerConnection = { drain: () => {}, close: () => socket.destroy(), carries };
    connections.add(handle);
    const onRequest = this.onRequest(appListenerState(undefined));
    const onClose = (): void => connections.remove(handle);
    const { sink } = new ConnectTunnel(socket, authority, randomUUID(), exchange.account, onRequest, onClose);
    if (sink !== undefined) carries.push(sink);
  }

  private serveHttp2(socket: net.Socket, state: AppListenerState, shape = ''): Http2ServerConnection {
    const { connections, clock, exchange, blocks, onProtocolError, refused } = this.options;
    const connection: Http2ServerConnection = new Http2ServerConnection(socket, {
      account: exchange.account,
      blocks,
      clock,
      maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
      link: false,
      hello: NO_HELLO,
      shape,
      onRequest: this.onRequest(state),
      answer: (downstream: Downstream, error: ProxyError) => {
        refuseRequest(refused, state.origin, downstream, error);
        onProtocolError(error);
      },
      onClose: error => {
        connections.removeWhenClosed(connection, socket);
        if (error?.code === 'DOWNSTREAM_PROTOCOL') onProtocolError(error);
      },
    });
    connections.add(connection);
    return connection;
  }

  private serveTcp(
    socket: net.Socket,
    state: AppListenerState,
    target: string,
    scheme: 'http' | 'https' = 'http',
  ): void {
    const { connections, exchange } = this.options;
    const carries: RequestSink[] = [];
    const handle: ServerConnection = { drain: () => {}, close: () => socket.destroy(), carries };
    connections.add(handle);
    const onClose = (): void => connections.remove(handle);
    const head = tcpRequestHead(target, scheme);
    carries.push(new TcpServerConnection(socket, head, exchange.account, this.onRequest(state), onClose).sink);
  }
}

const NO_HELLO = Buffer.alloc(0);
