import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { type Admission, admitRequest } from './app/admit-request.ts';
import type { InboundPlan } from './app/inbound-plan.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { enforceDeadline } from './resilience/deadline.ts';
import type { EventLoopWatch } from './resilience/event-loop-watch.ts';
import type { OverloadEpisodes } from './resilience/overload-episodes.ts';
import { retry } from './resilience/retry.ts';
import { shedLoad } from './resilience/shed-load.ts';
import { spareEventLoop } from './resilience/spare-event-loop.ts';
import { normalizePath } from './route/normalize-path.ts';
import type { Routing } from './route/routing.ts';
import { NEVER_AGAIN, Pipeline } from './step.ts';
import { type Recording, recordExchange } from './telemetry/record-exchange.ts';
import { forward } from './upstream/forward.ts';

/** What the steps of a peer's exchange are given. */
export interface InboundOwners {
  readonly recording: Recording;
  readonly routing: Routing;
  readonly admission: Admission;
  readonly budget: BufferBudget;
  readonly eventLoop: EventLoopWatch;
  readonly overload: OverloadEpisodes;
  readonly clock: Clock;
  readonly random: Random;
}

/** The life of one whose head could not be read: it is answered at once. */
export const refusedInbound = ({ recording }: InboundOwners): Pipeline =>
  new Pipeline([recordExchange(recording)], NEVER_AGAIN, []);

/** The life of a peer's exchange, in order. Who the peer is was settled before its connection gave the first byte. */
export const inbound = (o: InboundOwners): Pipeline =>
  new Pipeline(
    [
      recordExchange(o.recording), // first in, last out: sees every answer, ours or the app's
      normalizePath(o.routing), // a peer is not trusted to have done it
      spareEventLoop(o.eventLoop, o.overload), // before what costs time: there is none
      admitRequest(o.admission), // only declared ports of the app; says who calls
      shedLoad(o.budget, o.overload), // behind admission, so that what is refused is counted for its destination
      enforceDeadline(o.clock), // the time that the caller leaves
    ],
    retry({ clock: o.clock, random: o.random, breakerOf: () => undefined, onRetry: () => {} }), // only what the app has not seen, and safe requests that met it closing an idle connection
    [
      // Last: from here on the app's connection has it.
      forward(o.clock, { timeout: 'x-outrider-timeout-ms', attempt: '' }, exchange => {
        const { transport, head } = exchange.plan as InboundPlan;
        return { transport, head };
      }),
    ],
  );
