import type { LogOutput } from '../../common/log-output.ts';
import type { ProxyError } from '../errors/proxy-error.ts';
import { responseFlags } from './labels.ts';

/** Where its lines go. */
export type AccessLogOutput = Pick<LogOutput, 'write'>;

/** What is logged: nothing, exchanges that failed, or every one. `OUTRIDER_ACCESS_LOG`. */
export type AccessLogMode = 'off' | 'errors' | 'all';

/** One exchange that ended. Read only when it is logged. */
export interface AccessLogEntry {
  readonly direction: 'outbound' | 'inbound';
  /** Milliseconds since 1970 when it began. */
  readonly startedAtWallMs: number;
  readonly durationMs: number;
  /** '' when there is none. */
  readonly requestId: string;
  readonly method: string;
  readonly authority: string;
  /** As received; the log leaves out the query, which may hold secrets. */
  readonly path: string;
  /** `http1`, `http2`, `grpc`, `thrift`, `hessian`, `tcp`. */
  readonly protocol: string;
  /** 0: no answer. */
  readonly status: number;
  /** '' when the protocol is not gRPC. */
  readonly grpcStatus: string;
  readonly error: ProxyError | undefined;
  /** `x-outrider-flag` of an answer that the peer's sidecar made, or ''. */
  readonly peerFlag: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** SPIFFE ids; '' when unknown. */
  readonly sourcePrincipal: string;
  readonly destinationPrincipal: string;
  /** `service.namespace` */
  readonly sourceService: string;
  readonly destinationService: string;
  /** `host:port`, '' when none was chosen. */
  readonly upstreamAddress: string;
  readonly route: string;
  /** 0: no attempt was made. */
  readonly attempts: number;
}

/** HTTP status from 500, a gRPC status but OK, an answer of the mesh, or none at all. */
export const isFailure = (
  status: number,
  grpcStatus: string,
  error: ProxyError | undefined,
  peerFlag: string,
): boolean =>
  error !== undefined || peerFlag !== '' || status >= 500 || status === 0 || (grpcStatus !== '' && grpcStatus !== '0');

/** JSON lines about exchanges (docs: errors). Owned by `proxy.ts`; lives as long as the sidecar. */
export class AccessLog {
  readonly mode: AccessLogMode;
  private readonly output: AccessLogOutput;

  constructor(mode: AccessLogMode, output: AccessLogOutput) {
    this.mode = mode;
    this.output = output;
  }

  /** True when an exchange with this outcome is logged: ask before making an entry. */
  wants(status: number, grpcStatus: string, error: ProxyError | undefined, peerFlag: string): boolean {
    return this.mode === 'all' || (this.mode === 'errors' && isFailure(status, grpcStatus, error, peerFlag));
  }

  write(entry: AccessLogEntry): void {
    this.output.write(`${formatEntry(entry)}\n`);
  }
}

/** One line, without its end. What is empty is left out. */
export const formatEntry = (entry: AccessLogEntry): string => {
  const { error } = entry;
  return JSON.stringify({
    time: new Date(entry.startedAtWallMs).toISOString(),
    type: 'access',
    direction: entry.direction,
    request_id: orAbsent(entry.requestId),
    method: entry.method,
    authority: orAbsent(entry.authority),
    path: orAbsent(withoutQuery(entry.path)),
    protocol: entry.protocol,
    status: entry.status,
    grpc_status: entry.grpcStatus === '' ? undefined : Number(entry.grpcStatus),
    flags: responseFlags(error, entry.peerFlag),
    error: error?.code,
    detail: error === undefined ? undefined : orAbsent(error.detail),
    cause: error === undefined ? undefined : orAbsent(error.cause),
    duration_ms: Math.round(entry.durationMs * 1_000) / 1_000,
    request_bytes: entry.requestBytes,
    response_bytes: entry.responseBytes,
    source_service: orAbsent(entry.sourceService),
    source_principal: orAbsent(entry.sourcePrincipal),
    destination_service: orAbsent(entry.destinationService),
    destination_principal: orAbsent(entry.destinationPrincipal),
    upstream_address: orAbsent(entry.upstreamAddress),
    route: orAbsent(entry.route),
    attempts: entry.attempts,
  });
};

const orAbsent = (text: string): string | undefined => (text === '' ? undefined : text);

const withoutQuery = (path: string): string => {
  const at = path.indexOf('?');
  return at < 0 ? path : path.slice(0, at);
};
