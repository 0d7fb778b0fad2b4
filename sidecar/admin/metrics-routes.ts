import { CONTENT_TYPES, formatFor } from '../telemetry/exposition.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { readyReply } from './admin-routes.ts';
import type { Routes } from './http-server.ts';
import type { ReadinessState } from './readiness.ts';
import { textReply } from './reply.ts';

/** Everything on the metrics address, which others may reach: nothing here changes or tells much. */
export const metricsRoutes = (metrics: Metrics, ready: () => ReadinessState): Routes => ({
  '/metrics': {
    method: 'GET',
    about: 'all metrics, in Prometheus text format or OpenMetrics',
    handle: ({ accept }) => {
      const format = formatFor(accept);
      return { status: 200, contentType: CONTENT_TYPES[format], body: metrics.expose(format) };
    },
  },
  '/healthz/ready': {
    method: 'GET',
    about: '200 when this sidecar should get traffic, else 503 and why',
    handle: () => readyReply(ready()),
  },
  '/healthz/live': { method: 'GET', about: '200 while the process works', handle: () => textReply(200, 'live') },
});
