import type { Row } from './sources.ts';

/** Rows under their column names, aligned; '-' where a row has nothing. `none` when there are no rows. Every line ends with a line end. */
export const formatTable = (rows: readonly Row[]): string => {
  const [first] = rows;
  if (first === undefined) return 'none\n';
  const columns = Object.keys(first);
  const cells = [
    columns.map(column => column.toUpperCase()),
    ...rows.map(row => columns.map(column => cell(row[column]))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map(line => line[at]!.length)));
  return cells
    .map(
      line =>
        `${line
          .map((text, at) => text.padEnd(widths[at]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
};

/** `name  value`, one a line. */
export const formatFacts = (facts: object): string => {
  const entries = Object.entries(facts);
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${cell(value)}\n`).join('');
};

const cell = (value: string | number | boolean | undefined): string =>
  value === undefined || value === '' ? '-' : String(value);
