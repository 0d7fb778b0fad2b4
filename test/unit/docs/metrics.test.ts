import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { manualClock } from '../../../common/clock.ts';
import { METRICS, TRAFFIC_METRICS } from '../../../sidecar/telemetry/definitions.ts';
import { MAX_METHODS_PER_SERVICE } from '../../../sidecar/telemetry/method-names.ts';
import { DEFAULT_MAX_SERIES, IDLE_MS, Metrics } from '../../../sidecar/telemetry/metrics.ts';
import { BUCKETS } from '../../../sidecar/telemetry/request-metrics.ts';
import { tableRows } from './support/markdown-tables.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8');
const rows = tableRows(page, 'All metrics');
const plain = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');

const REQUEST_LABELS = TRAFFIC_METRICS.outrider_requests_total.labels;
const TCP_LABELS = TRAFFIC_METRICS.outrider_tcp_sent_bytes_total.labels;

const labelsOf = (cell: string | undefined): string[] =>
  plain(cell)
    .split(', ')
    .flatMap(word => {
      if (word === 'request labels') return REQUEST_LABELS;
      if (word === 'connection labels') return TCP_LABELS;
      return word === 'none' ? [] : [word];
    });

t.test('docs/metrics.md has the metrics that the code has, with their types, labels and meanings', t => {
  t.same(
    rows.map(([name, type, , labels, help]) => [plain(name), { type, help, labels: labelsOf(labels) }]),
    Object.entries(METRICS).map(([name, { type, help, labels }]) => [name, { type, help, labels: [...labels] }]),
  );
  t.end();
});

t.test('docs/metrics.md gives each metric the unit that its name says', t => {
  for (const [name = '', , unit] of rows) {
    if (/_seconds/.test(plain(name))) t.equal(unit, 'seconds', name);
    else if (/_bytes/.test(plain(name))) t.equal(unit, 'bytes', name);
    else t.match(unit, /^[a-z0-9 ]+$/, name);
  }
  t.end();
});

t.test('docs/metrics.md explains every label', t => {
  const shared = tableRows(page, 'Labels of requests and connections');
  t.same(
    shared.map(([label]) => plain(label)).sort(),
    [...REQUEST_LABELS].sort(),
    'those of requests, all and no others',
  );
  t.same(
    shared
      .filter(([, , tcp]) => tcp === 'yes')
      .map(([label]) => plain(label))
      .sort(),
    [...TCP_LABELS].sort(),
    'those of connections',
  );
  const explained = new Set(
    [...shared, ...tableRows(page, 'Labels of the others')].flatMap(([label]) => plain(label).split(', ')),
  );
  const used = new Set(Object.values(METRICS).flatMap(({ labels }) => labels));
  t.same([...explained].sort(), [...used].sort());
  t.end();
});

t.test('docs/metrics.md has an example query for every metric', t => {
  const queries = tableRows(page, 'Example queries');
  t.same(
    queries.map(([name]) => plain(name)),
    Object.keys(METRICS),
  );
  for (const [name, query] of queries) t.ok(query?.includes(plain(name)), `${name} asks for itself`);
  t.end();
});

t.test('docs/metrics.md states the limits that hold', t => {
  t.ok(page.includes(BUCKETS.map(bucket => `\`${bucket}\``).join(', ')), 'buckets');
  t.ok(page.includes(`at most ${DEFAULT_MAX_SERIES.toLocaleString('en')} series of requests`), 'series');
  t.ok(page.includes(`at most ${MAX_METHODS_PER_SERVICE} per destination service`), 'methods');
  t.ok(page.includes(`for ${IDLE_MS / 60_000} minutes`), 'idle time');
  t.end();
});

t.test('a scrape shows documented metrics and labels only', async t => {
  await using metrics = new Metrics({ clock: manualClock(), build: { version: '1.0.0', nodeVersion: 'v26' } });
  for (const { name, definition, samples } of metrics.collect()) {
    t.equal(METRICS[name], definition, name);
    for (const { labels = {} } of samples)
      for (const label of Object.keys(labels)) t.ok(definition.labels.includes(label), `${name} ${label}`);
  }
});
