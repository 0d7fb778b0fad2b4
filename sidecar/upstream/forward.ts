import type { Clock } from '../../common/clock.ts';
import type { Exchange } from '../exchange.ts';
import { type FieldList, NO_FIELDS, type RequestHead } from '../protocol/head.ts';
import { STOP, type Step } from '../step.ts';
import type { Transport } from './transport.ts';

/** Where the attempt goes: the address's connections, and the head as it is to be sent there. */
export interface Destination {
  readonly transport: Transport;
  readonly head: RequestHead;
}

/** Names of the volatile fields that tell the other side about time and tries; '': not told. */
export interface ForwardFields {
  readonly timeout: string;
  readonly attempt: string;
}

/**
 * A gRPC server resets a call with CANCEL when its time is up. It gets so many milliseconds more than is left, so that the mesh has
 * said DEADLINE_EXCEEDED before.
 */
const GRPC_MARGIN_MS = 5;

/** The last step: hands the exchange to a connection. Gives its place in the line back when the attempt ends before there is one. */
export const forward = (
  clock: Clock,
  fields: ForwardFields,
  destinationOf: (exchange: Exchange) => Destination,
): Step => {
  const volatileFor = (exchange: Exchange): FieldList => {
    const rewrite = exchange.backend?.rewriteVolatile;
    const volatile = rewrite === undefined ? exchange.volatile : rewrite(exchange.volatile);
    if (exchange.deadlineMs === 0 && exchange.attempt === 1) return volatile;
    const list = volatile === NO_FIELDS ? [] : [...volatile];
    if (exchange.deadlineMs > 0) {
      const left = Math.max(1, Math.floor(exchange.deadlineMs - clock.nowMs()));
      const grpc = list.indexOf('grpc-timeout');
      const grpcLeft = String(left + GRPC_MARGIN_MS);
      // At most eight digits (gRPC over HTTP/2, "Timeout"); what is longer stays as the caller said it.
      if (grpc >= 0 && grpc % 2 === 0 && grpcLeft.length <= 8) list[grpc + 1] = `${grpcLeft}m`;
      list.push(fields.timeout, String(left));
    }
    if (exchange.attempt > 1 && fields.attempt !== '') list.push(fields.attempt, String(exchange.attempt));
    return list;
  };
  return {
    begin: exchange => {
      const { transport, head } = destinationOf(exchange);
      exchange.transport = transport;
      transport.send(exchange, head, volatileFor(exchange));
      return STOP;
    },
    end: exchange => {
      exchange.transport?.forget(exchange);
      exchange.transport = undefined;
    },
  };
};
