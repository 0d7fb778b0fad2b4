import t, { type Test } from 'tap';
import { manualClock } from '../../../../common/clock.ts';
import { type ExpositionFormat, expose, type Family, formatFor } from '../../../../sidecar/telemetry/exposition.ts';
import { Metrics } from '../../../../sidecar/telemetry/metrics.ts';
import { parseSamples } from '../../../support/prometheus-text.ts';
import { labels } from './labels.fixture.ts';

const textOf = async (families: Iterable<Family>, format: ExpositionFormat): Promise<string> =>
  (await Array.fromAsync(expose(families, format))).join('');

const COUNTER = { type: 'counter', help: 'Things.', labels: ['name'] } as const;

t.test('label values are escaped', async t => {
  const family = {
    name: 'things_total',
    definition: COUNTER,
    samples: [{ sharedLabels: { name: 'a"b\\c\nd' }, value: 1 }],
  };
  t.equal(
    await textOf([family], 'text'),
    '# HELP things_total Things.\n# TYPE things_total counter\nthings_total{name="a\\"b\\\\c\\nd"} 1\n',
  );
});

t.test('OpenMetrics names the counter without _total, and ends with EOF', async t => {
  const family = { name: 'things_total', definition: COUNTER, samples: [{ value: 3 }] };
  t.equal(
    await textOf([family], 'openmetrics'),
    '# HELP things Things.\n# TYPE things counter\nthings_total 3\n# EOF\n',
  );
});

t.test('a long family comes in chunks of whole lines, with one head', async t => {
  const samples = Array.from({ length: 1_501 }, (_, i) => ({ labels: { name: String(i) }, value: i }));
  const chunks = await Array.fromAsync(expose([{ name: 'things_total', definition: COUNTER, samples }], 'text'));
  t.equal(chunks.length, 4);
  for (const chunk of chunks) t.ok(chunk.endsWith('\n'));
  const lines = chunks.join('').trimEnd().split('\n');
  t.equal(lines.length, 1_503);
  t.equal(lines.filter(line => line.startsWith('#')).length, 2);
  t.equal(lines.at(-1), 'things_total{name="1500"} 1500');
});

t.test('a family that fills its chunks exactly has no empty one after them', async t => {
  const samples = Array.from({ length: 500 }, (_, value) => ({ value }));
  const chunks = await Array.fromAsync(expose([{ name: 'things_total', definition: COUNTER, samples }], 'text'));
  t.equal(chunks.length, 1);
});

/** The rules of OpenMetrics 1.0 that a family can break. */
const checkOpenMetrics = (t: Test, text: string): void => {
  t.ok(text.endsWith('\n# EOF\n'), 'ends with EOF');
  t.notMatch(text, /\n\n/, 'no empty lines');
  const seen = new Set<string>();
  let name = '';
  let type = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, word = '', of = '', rest = ''] = /^# (\w+) ?(\S*) ?(.*)$/.exec(line) ?? [];
    if (word === 'EOF') continue;
    if (word === 'HELP') {
      t.notOk(seen.has(of), `${of} is one block`);
      seen.add(of);
      name = of;
    } else if (word === 'TYPE') {
      t.equal(of, name);
      type = rest;
      if (type === 'counter') t.notMatch(name, /_total$/);
    } else {
      const [sample] = parseSamples(line);
      const suffixes = { counter: ['_total'], gauge: [''], histogram: ['_bucket', '_sum', '_count'] }[type];
      if (!suffixes?.some(suffix => sample?.name === name + suffix)) t.fail(`${sample?.name} belongs to ${name}`);
      const le = sample?.labels.le;
      if (le !== undefined && !/^([0-9]+\.[0-9]+|\+Inf)$/.test(le)) t.fail(`le="${le}" is not a float`);
    }
  }
};

t.test('all metrics together are valid OpenMetrics', async t => {
  await using metrics = new Metrics({ clock: manualClock(), build: { version: '1.0.0', nodeVersion: 'v26' } });
  metrics.record(metrics.series(labels()), 3, 1, 2);
  metrics.onCollect('outrider_open_connections', () => [{ labels: { kind: 'app' }, value: 4 }]);
  metrics.onCollect('outrider_access_log_dropped_total', () => [{ labels: {}, value: 4 }]);
  const text = (await Array.fromAsync(metrics.expose('openmetrics'))).join('');
  checkOpenMetrics(t, text);
  t.match(text, '\noutrider_access_log_dropped_total 4\n');
});

t.test('two scrapers with different formats at once do not disturb each other', async t => {
  await using metrics = new Metrics({ clock: manualClock(), build: { version: '1.0.0', nodeVersion: 'v26' } });
  const [text, open] = await Promise.all([
    Array.fromAsync(metrics.expose('text')),
    Array.fromAsync(metrics.expose('openmetrics')),
  ]);
  t.match(text.join(''), '# TYPE outrider_requests_total counter');
  t.notMatch(text.join(''), '# EOF');
  t.match(open.join(''), '# TYPE outrider_requests counter');
});

t.test('OpenMetrics is for those who ask for it', t => {
  t.equal(formatFor(''), 'text');
  t.equal(formatFor('*/*'), 'text');
  t.equal(formatFor('text/plain'), 'text');
  t.equal(formatFor('application/openmetrics-text; version=1.0.0'), 'openmetrics');
  t.equal(
    formatFor('application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1'),
    'openmetrics',
  );
  t.equal(formatFor('application/openmetrics-text;q=0.2,text/plain;q=0.3'), 'text');
  t.equal(formatFor('application/openmetrics-text;q=0'), 'text');
  t.end();
});
