import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { ServiceNames } from './discovery/discovery.ts';
import type { OutsideClusters } from './egress/outside-clusters.ts';
import { passThrough } from './egress/pass-through.ts';
import type { Exchange } from './exchange.ts';
import { mirrored } from './mirrored.ts';
import type { CircuitBreaker } from './resilience/circuit-breaker.ts';
import { enforceDeadline } from './resilience/deadline.ts';
import type { EventLoopWatch } from './resilience/event-loop-watch.ts';
import { injectFault } from './resilience/inject-fault.ts';
import { limitAttempt } from './resilience/limit-attempt.ts';
import { limitRequests } from './resilience/limit-requests.ts';
import type { OutlierDetector } from './resilience/outlier-detection/detector.ts';
import { reportOutcome } from './resilience/outlier-detection/report-outcome.ts';
import type { OverloadEpisodes } from './resilience/overload-episodes.ts';
import { retry } from './resilience/retry.ts';
import { shedLoad } from './resilience/shed-load.ts';
import { spareEventLoop } from './resilience/spare-event-loop.ts';
import { findService } from './route/find-service.ts';
import { countersTo, type PlanMaker } from './route/make-outbound-plan.ts';
import { mirrorRequest } from './route/mirror-request.ts';
import { normalizePath } from './route/normalize-path.ts';
import { routeRequest } from './route/route-request.ts';
import { NEVER_AGAIN, Pipeline } from './step.ts';
import { type Recording, recordExchange } from './telemetry/record-exchange.ts';
import { type Destination, forward } from './upstream/forward.ts';
import { pickEndpoint } from './upstream/pick-endpoint.ts';

/** What the steps of an exchange that leaves the app are given. */
export interface OutboundOwners {
  readonly recording: Recording;
  readonly discovery: ServiceNames;
  readonly plans: PlanMaker;
  readonly outside: OutsideClusters;
  readonly budget: BufferBudget;
  readonly eventLoop: EventLoopWatch;
  readonly overload: OverloadEpisodes;
  readonly outlierDetector: OutlierDetector;
  readonly clock: Clock;
  readonly random: Random;
  /** An attempt will be repeated. */
  readonly onRetry: (exchange: Exchange, reason: string) => void;
  /** The connections to the chosen endpoint, and the head as it goes there. */
  readonly destination: (exchange: Exchange) => Destination;
}

const breakerOf = (exchange: Exchange): CircuitBreaker | undefined => exchange.backend?.cluster?.breaker;

/** What ends before it is known where it goes is counted for the destination `unknown`. */
const recordingOf = ({ recording, plans }: OutboundOwners): Recording => ({
  ...recording,
  unrouted: ({ head }) => countersTo(plans, head, undefined, '', ''),
});

/** The life of one whose head could not be read: it is answered at once. */
export const refusedOutbound = (o: OutboundOwners): Pipeline =>
  new Pipeline([recordExchange(recordingOf(o))], NEVER_AGAIN, []);

/** The life of an exchange that leaves the app, in order; on the way back the same list is run from its end. */
export const outbound = (o: OutboundOwners): Pipeline =>
  new Pipeline(
    [
      recordExchange(recordingOf(o)), // first in, last out: sees every answer, ours or theirs
      normalizePath(o.plans.routing), // before everything that looks at the path; what has no normal form is refused
      spareEventLoop(o.eventLoop, o.overload), // before what costs time: there is none
      findService(o.discovery, o.plans.routing, o.clock), // the first request to a name waits for the control plane's answer
      passThrough(o.outside, o.discovery, o.plans), // what is not in the mesh leaves it here, where that is allowed
      routeRequest(o.plans, o.random), // before what depends on the destination; answers NO_ROUTE and redirects
      shedLoad(o.budget, o.overload), // behind routing, so that what is refused is counted for its destination
      limitRequests(breakerOf), // above retry: an exchange counts once, however often it is tried
      enforceDeadline(o.clock), // above retry: all attempts share one deadline
      injectFault(o.clock, o.random), // behind the deadline, which the delay counts for; above retry, which would undo it
      mirrorRequest({ pipeline: mirrored(o, recordingOf(o), breakerOf), clock: o.clock, account: o.budget }, o.random), // above retry: one copy
    ],
    retry({ clock: o.clock, random: o.random, breakerOf, onRetry: o.onRetry }), // the steps below run once per attempt
    [
      limitAttempt(o.clock), // above the choice of an instance: the wait for a connection counts
      pickEndpoint(o.clock), // avoids the instance of the attempt before; learns how each one does
      reportOutcome(o.outlierDetector), // innermost: only what an instance did counts
      // Last: from here on a connection has it.
      forward(o.clock, { timeout: 'outrider-timeout-ms', attempt: 'outrider-attempt' }, o.destination),
    ],
  );
