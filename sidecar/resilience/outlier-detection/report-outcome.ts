import { CONTINUE, type Step } from '../../step.ts';
import type { OutlierDetector } from './detector.ts';

/** Tells outlier detection how each attempt ended. Innermost, so that only what an instance did counts. */
export const reportOutcome = (detector: OutlierDetector): Step => ({
  begin: () => CONTINUE,
  end: exchange => {
    const cluster = exchange.backend?.cluster;
    if (cluster !== undefined && exchange.endpoint !== undefined) detector.report(cluster, exchange.endpoint, exchange);
  },
});
