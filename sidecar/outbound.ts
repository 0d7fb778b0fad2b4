import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { Discovery } from './discovery/discovery.ts';
import type { Exchange } from './exchange.ts';
import { enforceDeadline } from './resilience/deadline.ts';
import { limitRequests } from './resilience/limit-requests.ts';
import { retry } from './resilience/retry.ts';
import { shedLoad } from './resilience/shed-load.ts';
import { findService } from './route/find-service.ts';
import type { PlanMaker } from './route/make-outbound-plan.ts';
import { routeRequest } from './route/route-request.ts';
import { Pipeline } from './step.ts';
import { type Recording, recordExchange } from './telemetry/record-exchange.ts';
import { type Destination, forward } from './upstream/forward.ts';
import { pickEndpoint } from './upstream/pick-endpoint.ts';

/** What the steps of an exchange that leaves the app are given. */
export interface OutboundOwners {
  readonly recording: Recording;
  readonly discovery: Discovery;
  readonly plans: PlanMaker;
  readonly budget: BufferBudget;
  readonly clock: Clock;
  readonly random: Random;
  /** An attempt will be repeated. */
  readonly onRetry: (exchange: Exchange, reason: string) => void;
  /** The connections to the chosen endpoint, and the head as it goes there. */
  readonly destination: (exchange: Exchange) => Destination;
}

/** The life of an exchange that leaves the app, in order; on the way back the same list is run from its end. */
export const outbound = (o: OutboundOwners): Pipeline =>
  new Pipeline(
    [
      recordExchange(o.recording), // first in, last out: sees every answer, ours or theirs
      findService(o.discovery, o.plans.routing, o.clock), // the first request to a name waits for the control plane's answer
      routeRequest(o.plans, o.random), // before what depends on the destination; answers NO_ROUTE and redirects
      shedLoad(o.budget), // behind routing, so that what is refused is counted for its destination
      limitRequests(), // above retry: an exchange counts once, however often it is tried
      enforceDeadline(o.clock), // above retry: all attempts share one deadline
    ],
    retry(o.clock, o.random, o.onRetry), // the steps below run once per attempt
    [
      pickEndpoint(o.clock), // avoids the instance of the attempt before; learns how each one does
      forward(o.clock, { timeout: 'outrider-timeout-ms', attempt: 'outrider-attempt' }, o.destination),
    ],
  );
