import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import t from 'tap';
import { RULE_FLAGS } from '../../../cli/init/read-options.ts';
import { OWN_PORTS } from '../../../cli/init/rules.ts';
import { registerInit } from '../../../cli/init.ts';
import { tableRows } from './support/markdown-tables.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/interception.md'), 'utf8');
const plain = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');
const rows = tableRows(page, 'Flags').map(([flag, standard]) => [plain(flag).replace(/^--/, ''), plain(standard)]);
const program = new Command('outrider');
registerInit(program);
const options = program.commands[0]?.options ?? [];

t.test('docs/interception.md has the flags that outrider init has', t => {
  t.same(
    rows.map(([flag]) => flag),
    options.map(({ long }) => long?.slice(2)),
  );
  t.end();
});

t.test('docs/interception.md gives each flag the default that the code has', t => {
  const defaults = new Map<string, string>(RULE_FLAGS.map(([flag, standard]) => [flag, standard]));
  for (const [flag = '', standard] of rows)
    t.equal(standard, defaults.get(flag) ?? (flag === 'backend' ? 'auto' : ''), flag);
  t.end();
});

t.test('docs/interception.md names no flag that does not exist, and the own ports', t => {
  const flags = new Set(options.map(({ long }) => long));
  const others = new Set(['--cap-add', '--noflush']);
  for (const [flag] of page.matchAll(/--[a-z][a-z0-9-]*[a-z0-9]/g)) t.ok(flags.has(flag) || others.has(flag), flag);
  t.match(page, `${OWN_PORTS.from}–${OWN_PORTS.to}`);
  t.end();
});
