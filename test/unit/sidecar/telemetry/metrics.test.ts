import fc from 'fast-check';
import t from 'tap';
import { type ManualClock, manualClock } from '../../../../common/clock.ts';
import { Metrics } from '../../../../sidecar/telemetry/metrics.ts';
import { parseSamples, total } from '../../../support/prometheus-text.ts';
import { HEAD, labels } from './labels.fixture.ts';

const MINUTE = 60_000;
const metricsAt = (clock: ManualClock, maxSeries = 100): Metrics =>
  new Metrics({ clock, build: { version: '1.0.0', nodeVersion: 'v26' }, maxSeries });
const scrape = async (metrics: Metrics) => parseSamples((await Array.fromAsync(metrics.expose('text'))).join(''));
const { method: _, ...TCP } = HEAD;

t.test('every request is counted once, with its bytes and its time', async t => {
  const metrics = metricsAt(manualClock());
  const series = metrics.series(labels());
  metrics.record(series, 3, 10, 100);
  metrics.record(series, 7, 20, 200);
  metrics.record(metrics.series(labels({ response_code: '503', response_flags: 'UF' })), 1, 5, 50);
  const samples = await scrape(metrics);
  t.equal(total(samples, 'outrider_requests_total'), 3);
  t.equal(total(samples, 'outrider_requests_total', { response_code: '200' }), 2);
  t.equal(total(samples, 'outrider_requests_total', { response_code: '503', response_flags: 'UF' }), 1);
  t.equal(total(samples, 'outrider_request_bytes_total', { response_code: '200' }), 30);
  t.equal(total(samples, 'outrider_response_bytes_total', { response_code: '200' }), 300);
  t.equal(total(samples, 'outrider_request_duration_seconds_sum', { response_code: '200' }), 0.01);
  t.equal(total(samples, 'outrider_request_duration_seconds_count'), 3);
});

t.test('a request lies in the bucket whose upper bound it does not exceed', async t => {
  const metrics = metricsAt(manualClock());
  const series = metrics.series(labels());
  for (const ms of [0, 0.5, 0.6, 1_000, 1_000.1, 30_000, 30_001]) metrics.record(series, ms, 0, 0);
  const samples = await scrape(metrics);
  const upTo = (le: string) => total(samples, 'outrider_request_duration_seconds_bucket', { le });
  t.equal(upTo('0.0005'), 2);
  t.equal(upTo('0.001'), 3);
  t.equal(upTo('1.0'), 4);
  t.equal(upTo('2.5'), 5);
  t.equal(upTo('30.0'), 6);
  t.equal(upTo('+Inf'), 7);
});

t.test('counts are exact whatever is recorded in whatever order', async () => {
  const request = fc.record({ series: fc.nat(40), durationMs: fc.nat(100_000), bytes: fc.nat(1e6) });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 200 }), async requests => {
      const metrics = metricsAt(manualClock());
      for (const { series, durationMs, bytes } of requests) {
        metrics.record(metrics.series(labels({ route: `r${series}` })), durationMs, bytes, 2 * bytes);
      }
      const samples = await scrape(metrics);
      for (let series = 0; series <= 40; series++) {
        const mine = requests.filter(one => one.series === series);
        const route = { route: `r${series}` };
        const bytes = mine.reduce((sum, one) => sum + one.bytes, 0);
        if (total(samples, 'outrider_requests_total', route) !== mine.length) return false;
        if (total(samples, 'outrider_request_bytes_total', route) !== bytes) return false;
        if (total(samples, 'outrider_response_bytes_total', route) !== 2 * bytes) return false;
        const slow = mine.filter(one => one.durationMs > 1_000).length;
        const fast = total(samples, 'outrider_request_duration_seconds_bucket', { ...route, le: '1.0' });
        if (mine.length > 0 && fast !== mine.length - slow) return false;
      }
      return true;
    }),
    { numRuns: 30 },
  );
});

t.test('a scrape shows the moment at which it was asked for', async t => {
  const metrics = metricsAt(manualClock());
  const series = metrics.series(labels());
  metrics.record(series, 1, 0, 0);
  const chunks = metrics.expose('text');
  metrics.record(series, 1, 0, 0);
  const samples = parseSamples((await Array.fromAsync(chunks)).join(''));
  t.equal(total(samples, 'outrider_requests_total'), 1);
  t.equal(total(samples, 'outrider_request_duration_seconds_count'), 1);
});

t.test('a series that is idle for ten minutes goes away, and begins at 0 when it comes back', async t => {
  const clock = manualClock();
  const metrics = metricsAt(clock);
  const idle = metrics.series(labels({ route: 'idle' }));
  const busy = metrics.series(labels({ route: 'busy' }));
  metrics.record(idle, 1, 0, 0);
  for (let minute = 0; minute < 10; minute++) {
    metrics.record(busy, 1, 0, 0);
    clock.advance(MINUTE);
  }
  t.ok(idle.live, 'not before');
  clock.advance(MINUTE);
  t.notOk(idle.live);
  t.ok(busy.live);
  t.equal(total(await scrape(metrics), 'outrider_requests_total', { route: 'idle' }), 0);
  metrics.record(metrics.series(labels({ route: 'idle' })), 1, 0, 0);
  const samples = await scrape(metrics);
  t.equal(total(samples, 'outrider_requests_total', { route: 'idle' }), 1);
  t.equal(total(samples, 'outrider_requests_total', { route: 'busy' }), 10, 'the place is not shared');
});

t.test('what is recorded into a series that went away is counted where it belongs', async t => {
  const clock = manualClock();
  const metrics = metricsAt(clock);
  const gone = metrics.series(labels({ route: 'gone' }));
  clock.advance(11 * MINUTE);
  t.notOk(gone.live);
  const other = metrics.series(labels({ route: 'other' }));
  t.equal(other.offset, gone.offset, 'its place was given to another');
  metrics.record(gone, 1, 0, 0);
  const samples = await scrape(metrics);
  t.equal(total(samples, 'outrider_requests_total', { route: 'gone' }), 1);
  t.equal(total(samples, 'outrider_requests_total', { route: 'other' }), 0);
});

t.test('beyond the cap requests are counted as overflow, and totals stay right', async t => {
  const metrics = metricsAt(manualClock(), 3);
  for (let i = 0; i < 10; i++) metrics.record(metrics.series(labels({ route: `r${i}` })), 1, 1, 1);
  const samples = await scrape(metrics);
  t.equal(total(samples, 'outrider_requests_total'), 10);
  t.equal(
    total(samples, 'outrider_requests_total', { route: 'overflow', response_code: 'overflow', reporter: 'overflow' }),
    7,
  );
  t.equal(total(samples, 'outrider_metric_series', { table: 'requests' }), 3);
});

t.test('once there is room, those who were sent to the overflow series ask again', async t => {
  const clock = manualClock();
  const metrics = metricsAt(clock, 1);
  metrics.series(labels({ route: 'first' }));
  const overflow = metrics.series(labels({ route: 'second' }));
  t.equal(overflow.labels.route, 'overflow');
  for (let minute = 0; minute < 11; minute++) {
    metrics.record(overflow, 1, 0, 0);
    clock.advance(MINUTE);
  }
  t.notOk(overflow.live);
  metrics.record(overflow, 1, 0, 0);
  metrics.record(metrics.series(labels({ route: 'second' })), 1, 0, 0);
  const samples = await scrape(metrics);
  t.equal(total(samples, 'outrider_requests_total', { route: 'overflow' }), 12, 'its numbers go on');
  t.equal(total(samples, 'outrider_requests_total', { route: 'second' }), 1);
});

interface Moving {
  requestBytes: number;
  responseBytes: number;
}

t.test('an open TCP connection keeps its series, and its bytes show before it ends', async t => {
  const clock = manualClock();
  const metrics = metricsAt(clock);
  const series = metrics.tcpSeries(TCP);
  metrics.tcpOpened(series);
  metrics.tcpBytes(series, 100, 7);
  clock.advance(60 * MINUTE);
  t.ok(series.live);
  metrics.tcpBytes(series, 1, 1);
  const open = await scrape(metrics);
  t.equal(total(open, 'outrider_tcp_sent_bytes_total', { destination_service: 'payments' }), 101);
  t.equal(total(open, 'outrider_tcp_received_bytes_total'), 8);
  t.equal(total(open, 'outrider_tcp_connections_opened_total'), 1);
  t.equal(total(open, 'outrider_tcp_connections_closed_total'), 0);
  metrics.tcpClosed(series);
  t.equal(total(await scrape(metrics), 'outrider_tcp_connections_closed_total'), 1);
  clock.advance(11 * MINUTE);
  t.notOk(series.live, 'closed, it goes like the others');
});

t.test('each scrape counts what open TCP connections have moved since the last, and their end the rest', async t => {
  const metrics = metricsAt(manualClock());
  const series = metrics.tcpSeries(TCP);
  const [one, two] = [1, 2].map(() => ({ requestBytes: 0, responseBytes: 0 })) as [Moving, Moving];
  const counted = async (): Promise<number[]> => {
    const samples = await scrape(metrics);
    const names = ['connections_opened', 'connections_closed', 'sent_bytes', 'received_bytes'];
    return names.map(name => total(samples, `outrider_tcp_${name}_total`));
  };
  metrics.connections.opened(one, series);
  metrics.connections.opened(two, series);
  Object.assign(one, { requestBytes: 3, responseBytes: 50 });
  Object.assign(two, { requestBytes: 4, responseBytes: 0 });
  t.same(await counted(), [2, 0, 50, 7]);
  t.same(await counted(), [2, 0, 50, 7], 'once');
  Object.assign(one, { requestBytes: 5, responseBytes: 60 });
  metrics.connections.closed(one, () => series);
  t.same(await counted(), [2, 1, 60, 9]);
  metrics.connections.closed({ requestBytes: 1, responseBytes: 48 }, () => series);
  t.same(await counted(), [3, 2, 60, 9], 'one that was refused was opened and closed, and moved nothing');
});

t.test('retries are counted by destination and reason', async t => {
  const metrics = metricsAt(manualClock());
  const about = {
    source_service: 'web',
    source_namespace: 'shop',
    destination_service: 'payments',
    destination_namespace: 'shop',
    route: '',
  };
  metrics.retried({ ...about, reason: 'reset' });
  metrics.retried({ ...about, reason: 'reset' });
  metrics.retried({ ...about, reason: 'connect-failure' });
  const samples = await scrape(metrics);
  t.equal(total(samples, 'outrider_retries_total', { reason: 'reset' }), 2);
  t.equal(total(samples, 'outrider_retries_total'), 3);
});

t.test('owners are asked at each scrape, and several may answer for one metric', async t => {
  const metrics = metricsAt(manualClock());
  let age = 1;
  metrics.onCollect('outrider_config_age_seconds', () => [{ labels: {}, value: age }]);
  metrics.onCollect('outrider_open_connections', () => [{ labels: { kind: 'app' }, value: 4 }]);
  metrics.onCollect('outrider_open_connections', () => [{ labels: { kind: 'link_in' }, value: 2 }]);
  t.equal(total(await scrape(metrics), 'outrider_config_age_seconds'), 1);
  age = 9;
  const samples = await scrape(metrics);
  t.equal(total(samples, 'outrider_config_age_seconds'), 9);
  t.equal(total(samples, 'outrider_open_connections', { kind: 'app' }), 4);
  t.equal(total(samples, 'outrider_open_connections'), 6);
});

t.test('the process tells what it is and what it uses', async t => {
  const samples = await scrape(metricsAt(manualClock(1_700_000_000_000)));
  t.equal(total(samples, 'outrider_build_info', { version: '1.0.0', node_version: 'v26' }), 1);
  t.ok(total(samples, 'process_resident_memory_bytes') > 1e7);
  t.ok(total(samples, 'process_cpu_seconds_total') > 0);
  t.ok(total(samples, 'process_open_fds') > 2);
  t.equal(Math.round(total(samples, 'process_start_time_seconds') / 1e6), 1_700);
});

t.test('closed, it leaves no timer behind', async t => {
  const clock = manualClock();
  const metrics = metricsAt(clock);
  t.equal(clock.pending, 1);
  clock.advance(3 * MINUTE);
  t.equal(clock.pending, 1);
  await metrics[Symbol.asyncDispose]();
  t.equal(clock.pending, 0);
});

t.test('a method name is free again once no series carries it', t => {
  const clock = manualClock();
  const metrics = metricsAt(clock);
  const series = metrics.series(labels({ method: metrics.methods.admit('payments.shop', 'Pay', true) }));
  for (let minute = 0; minute < 10; minute++) {
    metrics.record(series, 1, 0, 0);
    clock.advance(MINUTE);
  }
  t.equal(metrics.methods.admit('payments.shop', 'Pay', false), 'Pay');
  clock.advance(11 * MINUTE);
  t.equal(metrics.methods.admit('payments.shop', 'Pay', false), 'other');
  t.end();
});

/** The first of two workers, and the second. */
const twoWorkers = (clock: ManualClock, maxSeries = 100): [Metrics, Metrics] => {
  const first = metricsAt(clock, maxSeries);
  const second = metricsAt(clock, maxSeries);
  // As a message hands it over.
  first.others = async () => [structuredClone(second.part())];
  return [first, second];
};

t.test('the first worker shows what all have counted', async t => {
  const [first, second] = twoWorkers(manualClock());
  for (const metrics of [first, second]) {
    metrics.record(metrics.series(labels()), 3, 10, 100);
    metrics.retried({ ...labels(), reason: 'reset' });
    const tcp = metrics.tcpSeries(TCP);
    metrics.tcpOpened(tcp);
    metrics.tcpBytes(tcp, 1, 2);
  }
  second.record(second.series(labels({ response_code: '503' })), 1, 0, 0);
  first.onCollect('outrider_active_requests', () => [{ labels: { direction: 'inbound' }, value: 2 }]);
  second.onCollect('outrider_active_requests', () => [{ labels: { direction: 'inbound' }, value: 3 }]);
  for (const [metrics, value] of [
    [first, 0],
    [second, 1],
  ] as const)
    metrics.onCollect('outrider_overloaded', () => [
      { labels: { resource: 'memory' }, value: 1 },
      { labels: { resource: 'event_loop' }, value },
    ]);
  for (let scrapes = 0; scrapes < 2; scrapes++) {
    const samples = await scrape(first);
    t.equal(total(samples, 'outrider_requests_total', { response_code: '200' }), 2);
    t.equal(total(samples, 'outrider_requests_total', { response_code: '503' }), 1);
    t.equal(total(samples, 'outrider_request_bytes_total'), 20);
    t.equal(total(samples, 'outrider_retries_total'), 2);
    t.equal(total(samples, 'outrider_tcp_sent_bytes_total'), 2);
    t.equal(total(samples, 'outrider_active_requests', { direction: 'inbound' }), 5);
    t.equal(total(samples, 'outrider_overloaded', { resource: 'memory' }), 1, 'it is overloaded, not twice');
    t.equal(total(samples, 'outrider_overloaded', { resource: 'event_loop' }), 1);
    t.equal(total(samples, 'outrider_metric_series', { table: 'requests' }), 2);
    t.equal(samples.filter(({ name }) => name === 'outrider_event_loop_busy_seconds_total').length, 2);
  }
});

t.test('what goes away in an idle worker stays counted while another one goes on', async t => {
  const clock = manualClock();
  const [first, second] = twoWorkers(clock);
  const record = (metrics: Metrics): void => metrics.record(metrics.series(labels()), 1, 0, 0);
  const shown = async () => total(await scrape(first), 'outrider_requests_total');
  record(second);
  for (let minute = 0; minute < 15; minute++) {
    record(first);
    t.equal(await shown(), minute + 2);
    clock.advance(MINUTE);
  }
  t.same(second.part().requests.labels, [], 'it went away there');
  record(second);
  t.equal(await shown(), 17, 'and comes again');
  for (let minute = 0; minute < 15; minute++) {
    clock.advance(MINUTE);
    await scrape(first);
  }
  t.equal(await shown(), 0, 'idle in all of them it goes away');
  record(second);
  t.equal(await shown(), 1);
});

t.test('the limit of series is for all workers, and totals stay right', async t => {
  const [first, second] = twoWorkers(manualClock(), 3);
  for (const [at, metrics] of [first, second].entries())
    for (let i = 0; i < 3; i++) metrics.record(metrics.series(labels({ route: `r${at}${i}` })), 1, 0, 0);
  for (let scrapes = 0; scrapes < 2; scrapes++) {
    const samples = await scrape(first);
    t.equal(total(samples, 'outrider_requests_total'), 6);
    t.equal(total(samples, 'outrider_requests_total', { route: 'overflow' }), 3);
    t.equal(total(samples, 'outrider_metric_series', { table: 'requests' }), 3);
  }
});
