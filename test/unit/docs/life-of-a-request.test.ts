import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DEFAULT_POLICY } from '../../../api/snapshot.ts';
import { MAX_BUFFERED_BYTES } from '../../../sidecar/buffer-budget.ts';
import { ERRORS } from '../../../sidecar/errors/proxy-error.ts';
import { REPLAY_BYTES } from '../../../sidecar/exchange.ts';
import { tableRows } from './support/markdown-tables.ts';

const ROOT = join(import.meta.dirname, '../../..');
const page = readFileSync(join(ROOT, 'docs/life-of-a-request.md'), 'utf8');

/** The steps of a list, as its source calls them: each begins its own line inside `new Pipeline(…)`. */
const stepsOf = (file: string): string[] => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const list = text.slice(text.indexOf('new Pipeline('));
  return [...list.matchAll(/^ {4,6}(\w+)\(/gm)].map(([, name = '']) => name);
};

for (const [title, file] of [
  ['Outbound', 'sidecar/outbound.ts'],
  ['Inbound', 'sidecar/inbound.ts'],
] as const) {
  t.test(`the table ${title} has the steps of ${file}, in their order, and no others`, t => {
    const rows = tableRows(page, title);
    t.same(
      rows.map(([step]) => step?.replaceAll('`', '')),
      stepsOf(file),
    );
    t.ok(rows.length > 5, 'the steps are found');
    for (const [step = '', what = '', answers = ''] of rows) {
      t.match(what, /^[A-Z].*\.$/, step);
      for (const [, code = ''] of answers.matchAll(/`(\w+)`/g)) t.ok(code in ERRORS, `${step} answers ${code}`);
    }
    t.end();
  });
}

t.test('each position in the lists has a comment', t => {
  for (const file of ['sidecar/outbound.ts', 'sidecar/inbound.ts']) {
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
    for (const step of stepsOf(file)) {
      const at = lines.findIndex(line => new RegExp(`^ {4,6}${step}\\(`).test(line));
      const commented = lines[at]?.includes(' // ') || lines[at - 1]?.trim().startsWith('//');
      t.ok(commented, `${step} of ${file}`);
    }
  }
  t.end();
});

t.test('the figures are those of the code', t => {
  const { outlierDetection, circuitBreaker, retryBudget } = DEFAULT_POLICY;
  t.equal(MAX_BUFFERED_BYTES, 64 * 1_048_576);
  t.equal(REPLAY_BYTES, 65_536);
  t.ok(page.includes(`at least ${retryBudget.minRetries} in ${retryBudget.windowMs / 1_000} s`));
  t.ok(page.includes(`${retryBudget.ratio * 100} % of the requests of the last ${retryBudget.windowMs / 1_000} s`));
  t.ok(page.includes(`Failures in a row count, ${outlierDetection?.consecutiveFailures} by default`));
  t.ok(page.includes(`At most ${outlierDetection?.maxEjectionPercent} % of the instances`));
  t.ok(page.includes(`fewer than ${outlierDetection?.panicThresholdPercent} % are healthy`));
  t.ok(page.includes(`An ejection lasts ${(outlierDetection?.baseEjectionMs ?? 0) / 1_000} s`));
  const n = (value: number): string => value.toLocaleString('en');
  t.ok(page.includes(`connections (${n(circuitBreaker.maxConnections)})`));
  t.ok(page.includes(`requests (${n(circuitBreaker.maxRequests)}) and retries (${n(circuitBreaker.maxRetries)})`));
  t.end();
});
