import type { Clock, Timer } from '../../common/clock.ts';
import { proxyError } from '../errors/proxy-error.ts';
import type { Exchange } from '../exchange.ts';
import { fieldValue } from '../protocol/head.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';

const EXPIRED = proxyError('DEADLINE_EXCEEDED', 'request_timeout');
const GRPC_TIMEOUT = /^([0-9]{1,8})([HMSmun])$/;
const GRPC_UNIT_MS: { readonly [unit: string]: number } = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** A `grpc-timeout` in milliseconds, or undefined when it is not one (gRPC over HTTP/2, "Timeout"). */
export const parseGrpcTimeout = (value: string): number | undefined => {
  const [, digits, unit] = GRPC_TIMEOUT.exec(value) ?? [];
  return digits === undefined || unit === undefined ? undefined : Number(digits) * (GRPC_UNIT_MS[unit] as number);
};

/** The time that the caller leaves, by `outrider-timeout-ms` (from a sidecar) or `grpc-timeout`; infinity: it does not say. */
export const callerTimeoutMs = (exchange: Exchange): number => {
  const { volatile } = exchange;
  if (volatile.length === 0) return Number.POSITIVE_INFINITY;
  const left = fieldValue(volatile, 'outrider-timeout-ms');
  if (left !== undefined && /^[0-9]{1,10}$/.test(left)) return Number(left);
  const grpc = fieldValue(volatile, 'grpc-timeout');
  return (grpc === undefined ? undefined : parseGrpcTimeout(grpc)) ?? Number.POSITIVE_INFINITY;
};

/**
 * Gives the exchange a deadline: the smaller of what the caller and what the route allow, for all attempts together.
 * Answers DEADLINE_EXCEEDED when it passes. No timer is set when nobody asks for one. Envoy: route.timeout; gRPC deadlines.
 */
export const enforceDeadline = (clock: Clock): Step => {
  const timers = new WeakMap<Exchange, Timer>();
  return {
    begin: exchange => {
      const timeoutMs = Math.min(
        callerTimeoutMs(exchange),
        exchange.plan?.requestTimeoutMs ?? Number.POSITIVE_INFINITY,
      );
      if (timeoutMs === Number.POSITIVE_INFINITY) return CONTINUE;
      exchange.deadlineMs = exchange.startedAtMs + timeoutMs;
      const leftMs = exchange.deadlineMs - clock.nowMs();
      if (leftMs <= 0) {
        exchange.fail(EXPIRED);
        return STOP;
      }
      timers.set(
        exchange,
        clock.setTimer(leftMs, () => exchange.fail(EXPIRED)),
      );
      return CONTINUE;
    },
    end: exchange => {
      if (exchange.deadlineMs > 0) timers.get(exchange)?.cancel();
    },
  };
};
