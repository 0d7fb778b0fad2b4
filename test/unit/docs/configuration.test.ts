import { readFileSync } from 'node:fs';
import t from 'tap';
import { KINDS } from '../../../api/kinds.ts';
import { type FieldDescription, listFields } from '../../../api/list-fields.ts';
import { METADATA_SCHEMA } from '../../../api/object.ts';
import { apiVersionOf } from '../../../api/resource-kind.ts';

const DOCS = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

/** The lines of the section with this title. */
const section = (title: string): string[] => {
  const [, text = ''] = new RegExp(`^## ${title}\\n(.*?)(?=^## |$(?![^]))`, 'ms').exec(DOCS) ?? [];
  return text.split('\n');
};

const row = ({ path, type, default: value, required, description }: FieldDescription): string =>
  `| ${[`\`${path}\`${required ? ' (required)' : ''}`, type, value, description].join(' | ')} |`;

const rowsOf = (lines: readonly string[]): string[] => lines.filter(line => line.startsWith('| `'));

t.test('docs/configuration.md has every field of every kind as the schema has it, and no other', t => {
  for (const kind of KINDS) {
    const lines = section(kind.kind);
    t.ok(
      lines.includes(`\`${apiVersionOf(kind)}\`. ${kind.description}`),
      `${kind.kind}: ${apiVersionOf(kind)}. ${kind.description}`,
    );
    t.same(rowsOf(lines), listFields(kind).map(row), kind.kind);
  }
  const metadata = listFields({ schema: { metadata: METADATA_SCHEMA }, required: ['metadata'] });
  t.same(rowsOf(section('metadata')), metadata.map(row), 'metadata');
  t.end();
});

t.test('docs/configuration.md has a section for nothing else', t => {
  const titles = [...DOCS.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  t.same(titles, ['How fields are written', 'metadata', ...KINDS.map(kind => kind.kind)]);
  t.end();
});
