/** The table of attacks in docs/security.md, held against the tests that prove it and against the limits of the code. */
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { MAX_BUFFERED_BYTES } from '../../sidecar/buffer-budget.ts';
import {
  MAX_CHUNK_EXTENSION_BYTES,
  MAX_CHUNK_LINE_BYTES,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_INFORMATIONAL,
  MAX_START_LINE_BYTES,
  MAX_TRAILER_BYTES,
  WINDOW_BYTES,
} from '../../sidecar/protocol/http1/limits.ts';
import { MAX_IDLE_FRAMES, MAX_IDLE_LINK_FRAMES } from '../../sidecar/protocol/http2/abuse-guard.ts';
import { DEFAULT_TABLE_BYTES, OUR_SETTINGS } from '../../sidecar/protocol/http2/settings.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const [, section = ''] = read('docs/security.md').split('\n## Attacks\n');
const rows = section
  .split('\n')
  .filter(line => line.startsWith('| '))
  .slice(2)
  .map(line => line.slice(2, -2).split(' | '));

t.test('each attack of the table has a test of its name, and each test a row', t => {
  const tests = readdirSync(new URL('../e2e', import.meta.url))
    .filter(name => name.startsWith('attacks-'))
    .flatMap(name => [...read(`test/e2e/${name}`).matchAll(/^t\.test\(\s*'([^']+)'/gm)].map(([, title]) => title));
  t.same(new Set(rows.map(([attack]) => attack)), new Set(tests));
  t.ok(
    rows.every(cells => cells.length === 4),
    'with answer, limit and setting',
  );
  t.end();
});

t.test('the limits are those of the code', t => {
  const limitsOf = (attack: string): string => rows.find(([name]) => name?.startsWith(attack))?.[2] ?? '';
  const says = (attack: string, ...limits: number[]): void => {
    for (const limit of limits) t.match(limitsOf(attack), limit.toLocaleString('en'), `${attack}: ${limit}`);
  };
  says('CL+TE', MAX_START_LINE_BYTES, MAX_HEAD_BYTES, MAX_FIELDS, MAX_CHUNK_LINE_BYTES);
  says('CL+TE', MAX_CHUNK_EXTENSION_BYTES, MAX_TRAILER_BYTES);
  says('HTTP/2 to', OUR_SETTINGS.maxHeaderListBytes, OUR_SETTINGS.maxFields);
  says('200 or', MAX_HEAD_BYTES, MAX_INFORMATIONAL);
  says('rapid', MAX_IDLE_FRAMES, MAX_IDLE_LINK_FRAMES, DEFAULT_TABLE_BYTES);
  says('slowloris', WINDOW_BYTES);
  says('memory', MAX_BUFFERED_BYTES / 1_048_576);
  t.end();
});
