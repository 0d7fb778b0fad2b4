import { formatAddress } from '../config.ts';
import { CHECK_RESULTS, type HealthChecker } from '../health/health-checker.ts';
import type { HealthChecks } from '../health/health-checks.ts';
import { describeProbe } from '../health/probe.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Row } from './sources.ts';

/** The checks of the app beside us, as rows of `/clusters`: what is asked, and what came of it last. */
export const healthCheckRows = (checks: HealthChecks, appAddress: string): Row[] =>
  checks.all().map(({ view, state, cause }) => ({
    cluster: 'app',
    endpoint: formatAddress({ host: appAddress, port: view.port }),
    identity: '',
    state,
    weight: '',
    active: '',
    latency_ms: '',
    connections: '',
    at_limit: '',
    check: cause === '' ? describeProbe(view.probe) : `${describeProbe(view.probe)}: ${cause}`,
  }));

/** What the checks say at each scrape. */
export const collectHealthChecks = (metrics: Metrics, checks: HealthChecks): void => {
  // A series for each port and question; what differs in a header alone is not told apart.
  const all = (): { readonly port: string; readonly check: string; readonly checker: HealthChecker }[] =>
    checks
      .all()
      .map(checker => ({ port: String(checker.view.port), check: describeProbe(checker.view.probe), checker }))
      .filter(
        (each, at, list) => list.findIndex(({ port, check }) => port === each.port && check === each.check) === at,
      );
  metrics.onCollect('outrider_health_check_state', () =>
    all().map(({ port, check, checker }) => ({ labels: { port, check, state: checker.state }, value: 1 })),
  );
  metrics.onCollect('outrider_health_checks_total', () =>
    all().flatMap(({ port, check, checker }) =>
      CHECK_RESULTS.map(result => ({ labels: { port, check, result }, value: checker.results[result] })),
    ),
  );
};
