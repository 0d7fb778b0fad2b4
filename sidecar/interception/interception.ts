import type { Socket } from 'node:net';
import type { MtlsView } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import { formatAddress } from '../config.ts';
import { detectProtocol } from '../detect/detect-protocol.ts';
import { type DetectedRedirected, detectRedirected } from '../detect/detect-redirected.ts';
import type { IsOwn } from '../egress/dial-outside.ts';
import type { MtlsTerminator } from '../identity/terminate-mtls.ts';
import type { AppConnections } from '../listener/app-connection.ts';
import { type AppListenerState, appListenerState, plainListenerState } from '../listener/app-listener-state.ts';
import { MESH_ALPN, modeOf } from './mtls-mode.ts';
import type { OriginalDestination } from './original-destination.ts';
import type { OwnDials } from './own-dials.ts';

/** Destinations whose heads are kept together; a full table is emptied. */
const MAX_STATES = 1_000;
/** A loop says so once in so long. */
const QUIET_MS = 10_000;
/** A peer says who it is at once. */
const FIRST_BYTES_MS = 5_000;
/** As many as may be in the middle of a handshake. */
const MAX_UNDECIDED = 1_000;

export interface InterceptionOptions {
  readonly originalDestination: OriginalDestination;
  readonly ownDials: OwnDials;
  readonly isOwn: IsOwn;
  /** Takes what the app sends … */
  readonly fromApp: Pick<AppConnections, 'acceptRedirected'>;
  /** … and what clients without a mesh certificate send to it. */
  readonly toApp: Pick<AppConnections, 'acceptRedirected'>;
  /** Takes peers. */
  readonly terminator: Pick<MtlsTerminator, 'accept'>;
  readonly mtls: () => MtlsView | undefined;
  readonly onRefused: (reason: string, remoteAddress: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Connections that the kernel redirected to a listener of ours, told from those that were meant for it. Owned by the proxy. */
export class Interception implements Disposable {
  private readonly options: InterceptionOptions;
  private readonly services = new Map<string, AppListenerState>();
  private readonly appPorts = new Map<string, AppListenerState>();
  /** Of which it is not known yet whether they are peers. */
  private readonly undecided = new Set<Socket>();
  private quietUntilMs = 0;

  constructor(options: InterceptionOptions) {
    this.options = options;
  }

  /** From the app to somewhere else. False: it was meant for us. */
  outbound(socket: Socket): boolean {
    const to = this.destination(socket);
    if (to === undefined) return false;
    const target = formatAddress(to);
    socket.on('error', ignore);
    // A connection of our own is accepted before we hear that it stands; both are said by the end of this turn.
    setImmediate(() => {
      socket.off('error', ignore);
      if (socket.destroyed) return;
      if (this.options.ownDials.has(socket)) return this.cutLoop(socket, target);
      const state = kept(this.services, target, () => appListenerState(target));
      this.options.fromApp.acceptRedirected(socket, state, target);
    });
    return true;
  }

  /** To a port of the app, not to the sidecar's own. False: it was meant for us, so it is a peer. */
  inbound(socket: Socket): boolean {
    const { toApp, mtls } = this.options;
    const to = this.destination(socket);
    if (to === undefined) return false;
    if (modeOf(mtls(), to.port) === 'STRICT') this.acceptPeersOnly(socket);
    else {
      const target = formatAddress(to);
      toApp.acceptRedirected(
        socket,
        kept(this.appPorts, target, () => plainListenerState(to.port)),
        target,
      );
    }
    return true;
  }

  /** A peer of the mesh says so in its first message; everyone else is refused before the app hears of it. */
  private acceptPeersOnly(socket: Socket): void {
    const { clock, terminator, onRefused } = this.options;
    const address = socket.remoteAddress ?? '';
    const refuse = (): void => {
      this.undecided.delete(socket);
      socket.on('error', ignore);
      socket.resetAndDestroy();
      onRefused('plain_text', address);
    };
    if (this.undecided.size >= MAX_UNDECIDED) return refuse();
    this.undecided.add(socket);
    detectProtocol<DetectedRedirected>(
      socket,
      clock,
      detectRedirected,
      (detected, bytes) => {
        if (typeof detected !== 'object' || !detected.alpn.includes(MESH_ALPN)) return refuse();
        this.undecided.delete(socket);
        socket.pause();
        terminator.accept(socket, bytes);
      },
      () => this.undecided.delete(socket),
      { afterMs: FIRST_BYTES_MS, onSilent: refuse, always: true },
    );
  }

  [Symbol.dispose](): void {
    this.options.ownDials[Symbol.dispose]();
    for (const socket of this.undecided) socket.destroy();
  }

  private destination(socket: Socket) {
    const { originalDestination, isOwn } = this.options;
    const to = originalDestination(socket);
    return to === undefined || isOwn(to.host, to.port) ? undefined : to;
  }

  private cutLoop(socket: Socket, destination: string): void {
    const { clock, log } = this.options;
    socket.resetAndDestroy();
    const nowMs = clock.nowMs();
    if (nowMs < this.quietUntilMs) return;
    this.quietUntilMs = nowMs + QUIET_MS;
    log.error("The sidecar's own connections are redirected to it. `outrider init --proxy-uid` must name its user.", {
      destination,
      uid: process.getuid?.(),
    });
  }
}

const kept = (
  states: Map<string, AppListenerState>,
  target: string,
  make: () => AppListenerState,
): AppListenerState => {
  let state = states.get(target);
  if (state === undefined) {
    if (states.size >= MAX_STATES) states.clear();
    state = make();
    states.set(target, state);
  }
  return state;
};

const ignore = (): void => {};
