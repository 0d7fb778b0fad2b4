import type { Clock } from '../../common/clock.ts';
import type { Exchange } from '../exchange.ts';
import { fieldValue } from '../protocol/head.ts';
import { CONTINUE, type Step } from '../step.ts';
import type { AccessLog } from './access-log.ts';
import type { HeadCounters } from './head-counters.ts';
import { ensureRequestId, type NewRequestId } from './trace-context.ts';

/** Exchanges under way in one direction. */
export interface InFlight {
  count: number;
}

export interface Recording {
  readonly direction: 'outbound' | 'inbound';
  readonly clock: Clock;
  readonly accessLog: AccessLog;
  readonly newRequestId: NewRequestId;
  readonly inFlight: InFlight;
  /** Where an exchange is counted that ended before anybody knew where it goes. */
  readonly unrouted?: (exchange: Exchange) => HeadCounters;
}

/** The first step in and the last out: gives the request an id, counts and logs every answer, ours or theirs, and counts raw TCP while it lasts. */
export const recordExchange = (recording: Recording): Step => {
  const { clock, accessLog, newRequestId, inFlight } = recording;
  return {
    begin: exchange => {
      inFlight.count++;
      if (exchange.head.method !== 'CONNECT') exchange.volatile = ensureRequestId(exchange.volatile, newRequestId);
      return CONTINUE;
    },
    answered: exchange => {
      if (exchange.head.method === 'CONNECT' && exchange.status === 200)
        countersOf(exchange, recording)?.tcpOpened(exchange);
    },
    end: exchange => {
      inFlight.count--;
      const durationMs = clock.nowMs() - exchange.startedAtMs;
      const counters = countersOf(exchange, recording);
      if (counters !== undefined) {
        if (exchange.head.method === 'CONNECT') counters.tcpClosed(exchange);
        else counters.requestEnded(exchange, durationMs);
      }
      const { status, grpcStatus, error, peerFlag } = exchange;
      if (accessLog.wants(status, grpcStatus, error, peerFlag))
        accessLog.write(entryOf(exchange, recording, durationMs));
    },
  };
};

const countersOf = (exchange: Exchange, { unrouted }: Recording): HeadCounters | undefined =>
  exchange.plan === undefined ? unrouted?.(exchange) : exchange.plan.countersFor(exchange);

const entryOf = (exchange: Exchange, recording: Recording, durationMs: number) => {
  const { direction, clock } = recording;
  const { head, error, origin, plan } = exchange;
  const labels = countersOf(exchange, recording)?.labels;
  return {
    direction,
    startedAtWallMs: clock.wallMs() - durationMs,
    durationMs,
    requestId: fieldValue(exchange.volatile, 'x-request-id') ?? '',
    method: head.method,
    authority: head.authority,
    path: head.path,
    protocol: labels?.request_protocol ?? '',
    status: exchange.status,
    grpcStatus: exchange.grpcStatus,
    error,
    peerFlag: exchange.peerFlag,
    requestBytes: exchange.requestBytes,
    responseBytes: exchange.responseBytes,
    sourcePrincipal: origin.link ? origin.peer.id : (labels?.source_principal ?? ''),
    destinationPrincipal: exchange.triedEndpoint?.identity ?? labels?.destination_principal ?? '',
    sourceService: serviceName(labels?.source_service, labels?.source_namespace),
    destinationService: serviceName(labels?.destination_service, labels?.destination_namespace),
    upstreamAddress: exchange.triedEndpoint?.address ?? '',
    route: plan?.route ?? '',
    attempts: exchange.attempt,
  };
};

const serviceName = (service: string | undefined, namespace: string | undefined): string => {
  if (service === undefined || service === '') return '';
  return namespace === undefined || namespace === '' ? service : `${service}.${namespace}`;
};
