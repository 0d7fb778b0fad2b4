import type { MtlsView } from '../../api/snapshot.ts';
import type { Logger } from '../../common/logger.ts';
import { parseAddress, type SidecarConfig } from '../config.ts';
import type { IsOwn } from '../egress/dial-outside.ts';
import type { MtlsTerminator } from '../identity/terminate-mtls.ts';
import { type AppConnectionOptions, AppConnections } from '../listener/app-connection.ts';
import { Interception } from './interception.ts';
import { MESH_ALPN, modeOf } from './mtls-mode.ts';
import { type OriginalDestination, originalDestination } from './original-destination.ts';
import { OwnDials } from './own-dials.ts';

export interface InterceptOptions {
  readonly config: SidecarConfig;
  readonly isOwn: IsOwn;
  readonly fromApp: AppConnections;
  /** What becomes of requests to the app. */
  readonly inbound: Pick<
    AppConnectionOptions,
    'exchange' | 'refused' | 'connections' | 'blocks' | 'clock' | 'onProtocolError'
  >;
  readonly mtls: () => MtlsView | undefined;
  /** Of the inbound port. */
  readonly terminator: MtlsTerminator;
  readonly onRefused: (reason: string, remoteAddress: string) => void;
  readonly log: Logger;
  /** For tests. Default: the kernel is asked. */
  readonly originalDestination?: OriginalDestination;
}

/** Builds what takes redirected connections. @throws where the kernel cannot be asked where they were going. */
export const intercept = ({ config, inbound, ...options }: InterceptOptions): Interception => {
  const { mtls, terminator } = options;
  const protocolAt = (target: string): string =>
    config.appPorts.find(({ port }) => port === parseAddress(target)?.port)?.protocol ?? 'tcp';
  const toApp = new AppConnections({
    ...inbound,
    whenFound: (_, done) => done(),
    isKnown: () => true,
    isRawTcp: target => protocolAt(target) === 'tcp',
    isThrift: target => protocolAt(target) === 'thrift',
    isOneway: () => false,
    pipelines: () => false,
    isHessian: target => protocolAt(target) === 'hessian',
    acceptMeshTls: (socket, { alpn }, firstBytes, target) => {
      if (!alpn.includes(MESH_ALPN) || modeOf(mtls(), parseAddress(target)?.port ?? 0) === 'DISABLE') return false;
      socket.pause();
      terminator.accept(socket, firstBytes);
      return true;
    },
  });
  return new Interception({
    ...options,
    clock: inbound.clock,
    originalDestination: options.originalDestination ?? originalDestination(),
    ownDials: new OwnDials(),
    toApp,
  });
};
