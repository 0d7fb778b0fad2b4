import { randomUUID } from 'node:crypto';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../common/clock.ts';
import { detectProtocol } from '../detect/detect-protocol.ts';
import { type DetectedThrift, detectThrift } from '../detect/detect-thrift.ts';
import { ConnectTunnel } from '../egress/connect-tunnel.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import { answerTo } from '../errors/respond-to-error.ts';
import { Exchange, type ExchangeContext } from '../exchange.ts';
import type { RequestHead } from '../protocol/head.ts';
import { Http1ServerConnection, type Http1ServerContext } from '../protocol/http1/serve.ts';
import { Http2ServerConnection } from '../protocol/http2/serve.ts';
import type { BlockPool } from '../protocol/outbox.ts';
import type { Downstream, OnRequest, RequestSink } from '../protocol/stream.ts';
import { TcpServerConnection, tcpRequestHead } from '../protocol/tcp/serve.ts';
import { ThriftServerConnection } from '../protocol/thrift/serve.ts';
import { type AppListenerState, appListenerState } from './app-listener-state.ts';
import { beginExchanges } from './begin-exchanges.ts';
import type { Connections, ServerConnection } from './connections.ts';
import { refusalOf, refuseRequest } from './refuse-request.ts';

/** Streams that one app connection may have open. */
const MAX_CONCURRENT_STREAMS = 1_000;
/** Calls of one Thrift connection, where they may be under way at once. */
const MAX_PARALLEL_CALLS = 100;
const NO_HELLO = Buffer.alloc(0);

export interface AppServerOptions {
  readonly exchange: ExchangeContext;
  /** Of requests whose head could not be read. */
  readonly refused: ExchangeContext;
  readonly connections: Connections;
  readonly blocks: BlockPool;
  readonly clock: Clock;
  /** True when a rule of the service behind `target` says that Thrift calls with this head get no reply. */
  readonly isOneway: (target: string, head: RequestHead) => boolean;
  /** True when the Thrift calls of one connection to `target` may be under way at once. */
  readonly pipelines: (target: string) => boolean;
  /** True when the service behind `target` is declared as Hessian: what is posted there may be a call, whatever its content type. */
  readonly isHessian: (target: string) => boolean;
  /** A connection broke its protocol before there was an exchange. */
  readonly onProtocolError: (error: ProxyError) => void;
}

/** Serves connections from the app by the protocol that they speak: makes exchanges of what comes in. Owned by `AppConnections`. */
export class AppServer {
  private readonly options: AppServerOptions;
  /** CONNECT came in from a client that takes us for its HTTP proxy. */
  private readonly onConnect: (socket: net.Socket, authority: string, leftover: Buffer) => void;

  constructor(options: AppServerOptions, onConnect: (socket: net.Socket, authority: string, leftover: Buffer) => void) {
    this.options = options;
    this.onConnect = onConnect;
  }

  http1(socket: net.Socket, state: AppListenerState): Http1ServerConnection {
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
            this.onConnect(raw as net.Socket, authority, leftover);
          },
        }),
    };
    const connection: Http1ServerConnection = new Http1ServerConnection(socket, context, handler);
    connections.add(connection);
    return connection;
  }

  http2(socket: net.Socket, state: AppListenerState, shape = ''): Http2ServerConnection {
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

  thrift(socket: net.Socket, state: AppListenerState, target: string): void {
    const { connections, clock, exchange, isOneway, pipelines, onProtocolError } = this.options;
    const waiting: ServerConnection = { drain: () => socket.destroy(), close: () => socket.destroy() };
    connections.add(waiting);
    const serve = (detected: DetectedThrift, bytes: Buffer): void => {
      connections.remove(waiting);
      if (detected === 'tcp') {
        socket.unshift(bytes);
        return this.tcp(socket, state, target);
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

  tcp(socket: net.Socket, state: AppListenerState, target: string, scheme: 'http' | 'https' = 'http'): void {
    const { connections, exchange } = this.options;
    const carries: RequestSink[] = [];
    const handle: ServerConnection = { drain: () => {}, close: () => socket.destroy(), carries };
    connections.add(handle);
    const onClose = (): void => connections.remove(handle);
    const head = tcpRequestHead(target, scheme);
    carries.push(new TcpServerConnection(socket, head, exchange.account, this.onRequest(state), onClose).sink);
  }
  /** CONNECT to what is not in the mesh: its bytes are passed on as they are, or the answer says why not. */
  outside(socket: net.Socket, authority: string): void {
    const { connections, exchange } = this.options;
    const carries: RequestSink[] = [];
    const handle: ServerConnection = { drain: () => {}, close: () => socket.destroy(), carries };
    connections.add(handle);
    const onRequest = this.onRequest(appListenerState(undefined));
    const onClose = (): void => connections.remove(handle);
    const { sink } = new ConnectTunnel(socket, authority, randomUUID(), exchange.account, onRequest, onClose);
    if (sink !== undefined) carries.push(sink);
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
}
