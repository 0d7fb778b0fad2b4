import type { RetryView } from '../../api/snapshot.ts';
import type { Plan } from '../plan.ts';
import type { RequestHead } from '../protocol/head.ts';
import type { HeadCounters } from '../telemetry/head-counters.ts';
import type { Transport } from '../upstream/transport.ts';

/**
 * Beside the app nothing is repeated but what provably did not reach it, and safe requests that met an idle connection as the app closed it,
 * which only this sidecar can know: the caller's sidecar decides the rest.
 */
const ONCE: RetryView = { attempts: 1, codes: [], backoffMs: 1, on: [] };

/** What was decided about one request head from one peer: it goes to this port of the app, as this head. */
export class InboundPlan implements Plan {
  readonly transport: Transport;
  readonly head: RequestHead;
  readonly requestTimeoutMs = Number.POSITIVE_INFINITY;
  readonly retry: RetryView = ONCE;
  readonly attemptTimeoutMs = 0;
  readonly retriesResets = 'reused-connections';
  readonly retryBudget = undefined;
  readonly route: string;
  private readonly counters: HeadCounters;

  constructor(transport: Transport, head: RequestHead, route: string, counters: HeadCounters) {
    this.transport = transport;
    this.head = head;
    this.route = route;
    this.counters = counters;
  }

  countersFor(): HeadCounters {
    return this.counters;
  }
}
