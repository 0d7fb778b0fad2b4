import type { FaultView, RetryView } from '../api/snapshot.ts';
import type { Exchange } from './exchange.ts';
import type { RetryBudget } from './resilience/retry-budget.ts';
import type { ResetRetries } from './resilience/retry-policy.ts';
import type { Mirror } from './route/outbound-plan.ts';
import type { HeadCounters } from './telemetry/head-counters.ts';

/** Everything that was decided about a request head, once for one config version: what the steps need to know. */
export interface Plan {
  /** For the whole exchange; infinity: none. */
  readonly requestTimeoutMs: number;
  /** For each attempt; 0: none. */
  readonly attemptTimeoutMs: number;
  /** null: the mesh's default. */
  readonly retry: RetryView | null;
  /** What is safe to repeat is repeated once after a reset (Envoy: retry_on reset). */
  readonly retriesResets: ResetRetries;
  readonly retryBudget: RetryBudget | undefined;
  /** Injected on purpose; absent: none. */
  readonly fault?: FaultView | undefined;
  /** Copies go there; absent: none are made. */
  readonly mirror?: Mirror | undefined;
  /** For metrics and logs. */
  readonly route: string;
  /** Where the exchange is counted. */
  countersFor(exchange: Exchange): HeadCounters;
}
