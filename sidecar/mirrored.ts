import type { Exchange } from './exchange.ts';
import type { OutboundOwners } from './outbound.ts';
import type { CircuitBreaker } from './resilience/circuit-breaker.ts';
import { enforceDeadline } from './resilience/deadline.ts';
import { limitRequests } from './resilience/limit-requests.ts';
import { reportOutcome } from './resilience/outlier-detection/report-outcome.ts';
import { shedLoad } from './resilience/shed-load.ts';
import { NEVER_AGAIN, Pipeline } from './step.ts';
import { type Recording, recordExchange } from './telemetry/record-exchange.ts';
import { forward } from './upstream/forward.ts';
import { pickEndpoint } from './upstream/pick-endpoint.ts';

/** The life of a copy for a mirror, in order. Where it goes was decided with the request; it is tried once. */
export const mirrored = (
  o: OutboundOwners,
  recording: Recording,
  breakerOf: (exchange: Exchange) => CircuitBreaker | undefined,
): Pipeline =>
  new Pipeline(
    [
      recordExchange(recording), // counted for the mirror, like any other
      shedLoad(o.budget, o.overload),
      limitRequests(breakerOf), // of the mirror: what it cannot take is not copied
      enforceDeadline(o.clock),
    ],
    NEVER_AGAIN,
    [
      pickEndpoint(o.clock),
      reportOutcome(o.outlierDetector),
      forward(o.clock, { timeout: 'outrider-timeout-ms', attempt: '' }, o.destination),
    ],
  );
