import type net from 'node:net';
import { SNI_PREFIX } from '../../api/discovery.ts';
import { readIntoScratch } from '../../common/read-into-scratch.ts';
import type { ClientHello } from '../detect/client-hello.ts';
import { detectHttp, detectProtocol } from '../detect/detect-protocol.ts';
import { type DetectedRedirected, detectRedirected, detectTls } from '../detect/detect-redirected.ts';
import { HTTP2_SHAPE } from '../protocol/head.ts';
import { type AppListenerState, appListenerState } from './app-listener-state.ts';
import { AppServer, type AppServerOptions } from './app-server.ts';
import type { ServerConnection } from './connections.ts';

/** A redirected client that says nothing for so long waits for the server to speak first. */
const SILENT_MS = 50;

export interface AppConnectionOptions extends AppServerOptions {
  /** Calls back, perhaps at once, when it is known what is behind a name, or will not be. */
  readonly whenFound: (target: string, done: () => void) => void;
  /** True when the service behind `target` is raw TCP: nothing is read into the bytes. */
  readonly isRawTcp: (target: string) => boolean;
  /** True when the service behind `target` is declared as Thrift: its calls are read, unless they are of a kind that is passed on as TCP. */
  readonly isThrift: (target: string) => boolean;
  /** True when it is said that the service behind `target` speaks HTTP: its clients speak first, however late. Absent: never. */
  readonly isDeclared?: (target: string) => boolean;
  /** True when there is a service by this name: CONNECT to another one leads out of the mesh, or nowhere. */
  readonly isKnown: (target: string) => boolean;
  /** True when TLS to a `target` that is no service may lead to a server outside that has a name here: its client says which. Absent: never. */
  readonly mayBeNamed?: (target: string) => boolean;
  /** Takes a redirected connection to `target` that begins with this ClientHello, as of a peer of the mesh. False: it is the app's own TLS. Absent: it always is. */
  readonly acceptMeshTls?: (socket: net.Socket, hello: ClientHello, firstBytes: Buffer, target: string) => boolean;
}

/** Connections from the app beside us: finds out where each goes and what it speaks, and has it served. */
export class AppConnections {
  private readonly options: AppConnectionOptions;
  private readonly server: AppServer;
  private readonly outside = appListenerState(undefined);

  constructor(options: AppConnectionOptions) {
    this.options = options;
    this.server = new AppServer(options, (socket, authority, leftover) => this.openTunnel(socket, authority, leftover));
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
      else if (state.serverFirst || isRawTcp(target)) this.server.tcp(socket, state, target);
      else if (isThrift(target)) this.server.thrift(socket, state, target);
      else this.serveRedirected(socket, state, target);
    });
  }

  /** To what is no service. A server outside may have a name here, which TLS says. */
  private serveUnknown(socket: net.Socket, state: AppListenerState, target: string): void {
    const asBytes = (): void => this.server.tcp(socket, this.outside, target);
    if (state.serverFirst || this.options.mayBeNamed?.(target) !== true) return asBytes();
    this.look(socket, state, detectTls, asBytes, (detected, bytes) => {
      socket.pause();
      socket.unshift(bytes);
      if (detected === 'tcp' || detected.serverName === '') return asBytes();
      const authority = `${detected.serverName}${target.slice(target.lastIndexOf(':'))}`;
      const name = SNI_PREFIX + authority;
      this.whenFound(socket, name, () => {
        if (this.options.isKnown(name)) this.server.tcp(socket, appListenerState(name), authority, 'https');
        else asBytes();
      });
    });
  }

  /** One look at the first bytes. A client that waits for its server to speak first is not kept waiting (`onSilent`), and not at all once one did. */
  private look<Told>(
    socket: net.Socket,
    state: AppListenerState,
    detect: (bytes: Buffer) => Told | undefined,
    onSilent: (() => void) | undefined,
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
    const silence = onSilent && {
      afterMs: SILENT_MS,
      onSilent: () => {
        socket.once('data', () => {
          if (socket.bytesWritten > 0) state.serverFirst = true;
        });
        told();
        onSilent();
      },
    };
    detectProtocol(socket, clock, detect, done, told, silence);
  }

  /** Nobody had to declare what an app speaks, so its own TLS, and whatever else is not HTTP, goes on as bytes. */
  private serveRedirected(socket: net.Socket, state: AppListenerState, authority: string): void {
    const isDeclared = this.options.isDeclared?.(authority) === true;
    const asBytes = (): void => this.server.tcp(socket, state, authority);
    this.look<DetectedRedirected>(
      socket,
      state,
      detectRedirected,
      isDeclared ? undefined : asBytes,
      (detected, bytes) => {
        if (detected === 'http1') return this.server.http1(socket, state).push(bytes);
        if (detected === 'http2') return this.server.http2(socket, state, HTTP2_SHAPE).push(bytes);
        if (detected !== 'tcp' && this.options.acceptMeshTls?.(socket, detected, bytes, authority) === true) return;
        socket.unshift(bytes);
        this.server.tcp(socket, state, authority, detected === 'tcp' ? 'http' : 'https');
      },
    );
  }

  private serve(socket: net.Socket, state: AppListenerState): void {
    const { target } = state.origin;
    if (target === undefined) return this.serveHttp(socket, state);
    this.whenFound(socket, target, () => {
      if (this.options.isRawTcp(target)) this.server.tcp(socket, state, target);
      else if (this.options.isThrift(target)) this.server.thrift(socket, state, target);
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
        const connection = detected === 'http2' ? this.server.http2(socket, state) : this.server.http1(socket, state);
        connection.push(bytes);
      },
      () => this.options.connections.remove(waiting),
    );
  }

  /** CONNECT from a client that takes us for its HTTP proxy: the protocol inside is looked at, the target stays. */
  private openTunnel(socket: net.Socket, authority: string, leftover: Buffer): void {
    this.whenFound(socket, authority, () => {
      if (leftover.length > 0) socket.unshift(leftover);
      if (!this.options.isKnown(authority)) return this.server.outside(socket, authority);
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      this.serve(socket, appListenerState(authority));
    });
  }
}
