import { get } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { serveRoutes } from '../../../../sidecar/admin/http-server.ts';
import { metricsRoutes } from '../../../../sidecar/admin/metrics-routes.ts';
import { Readiness } from '../../../../sidecar/admin/readiness.ts';
import { Metrics } from '../../../../sidecar/telemetry/metrics.ts';
import { parseSamples, total } from '../../../support/prometheus-text.ts';
import { labels } from '../telemetry/labels.fixture.ts';
import { fakeLogger } from './admin.fixture.ts';

const setUp = async (t: Test) => {
  const metrics = new Metrics({ clock: manualClock(), build: { version: '1.0.0', nodeVersion: 'v26' } });
  const readiness = new Readiness();
  const server = await serveRoutes(
    { host: '127.0.0.1', port: 0 },
    metricsRoutes(metrics, () => readiness.state()),
    fakeLogger([]),
  );
  t.teardown(() => server[Symbol.asyncDispose]());
  const url = `http://127.0.0.1:${server.port}`;
  return { metrics, readiness, url };
};

t.test('/metrics shows what was counted', async t => {
  const { metrics, url } = await setUp(t);
  metrics.record(metrics.series(labels()), 1, 2, 3);
  const response = await fetch(`${url}/metrics`);
  t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.equal(total(parseSamples(await response.text()), 'outrider_requests_total', { route: 'shop/payments/0' }), 1);
});

t.test('/metrics is OpenMetrics for those who ask for it', async t => {
  const { url } = await setUp(t);
  const response = await fetch(`${url}/metrics`, {
    headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' },
  });
  t.equal(response.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  t.match(await response.text(), /# EOF\n$/);
});

t.test('/metrics is compressed for those who take it, and whole', async t => {
  const { metrics, url } = await setUp(t);
  for (let i = 0; i < 300; i++) metrics.record(metrics.series(labels({ route: `r${i}` })), 1, 2, 3);
  const body = await new Promise<Buffer>((resolve, reject) => {
    get(`${url}/metrics`, { headers: { 'accept-encoding': 'gzip' }, agent: false }, response => {
      t.equal(response.headers['content-encoding'], 'gzip');
      buffer(response).then(resolve, reject);
    }).on('error', reject);
  });
  const text = gunzipSync(body).toString();
  t.ok(body.length < text.length / 5);
  t.equal(total(parseSamples(text), 'outrider_requests_total'), 300);
});

t.test('readiness and liveness are there for Kubernetes', async t => {
  const { readiness, url } = await setUp(t);
  readiness.require('certificate', 'No certificate yet.');
  const notReady = await fetch(`${url}/healthz/ready`);
  t.equal(notReady.status, 503);
  t.equal(await notReady.text(), 'No certificate yet.\n');
  readiness.meet('certificate');
  t.equal((await fetch(`${url}/healthz/ready`)).status, 200);
  t.equal((await fetch(`${url}/healthz/live`)).status, 200);
  t.equal((await fetch(`${url}/config_dump`)).status, 404, 'nothing else is');
});
