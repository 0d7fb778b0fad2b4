/** Tables as text: columns side by side, three spaces apart. */

/** Kubernetes meta/v1 Table, as far as we read it. */
export interface Table {
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly {
    readonly cells: readonly (string | number)[];
    readonly object?: { readonly metadata?: { readonly namespace?: string } };
  }[];
}

export interface TableOptions {
  /** Columns of priority 1 too. */
  readonly wide: boolean;
  readonly withNamespace: boolean;
  readonly withHeader: boolean;
}

/** Lines without line ends. `widths` of an earlier table keep columns in place. */
export const formatTable = (table: Table, options: TableOptions, widths: number[] = []): string[] => {
  const shown = table.columnDefinitions.map(({ priority }) => priority === 0 || options.wide);
  const keep = (cells: readonly (string | number)[]) =>
    cells.filter((_, i) => shown[i] === true).map(cell => `${cell}`);
  const lines = table.rows.map(({ cells, object }) => [
    ...(options.withNamespace ? [object?.metadata?.namespace ?? ''] : []),
    ...keep(cells),
  ]);
  if (options.withHeader)
    lines.unshift([
      ...(options.withNamespace ? ['NAMESPACE'] : []),
      ...keep(table.columnDefinitions.map(({ name }) => name.toUpperCase())),
    ]);
  for (const line of lines) for (const [i, cell] of line.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return lines.map(line =>
    line
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('   ')
      .trimEnd(),
  );
};
