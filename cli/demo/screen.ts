/** Where the demo writes while it runs. */
export interface Screen {
  /** A step that was taken. */
  step(line: string): void;
  /** The state each second: a table to look at, or a line for a log. */
  state(table: readonly string[], line: string): void;
}

/** JSON goes to standard output alone. */
export const silentScreen: Screen = { step: () => {}, state: () => {} };

/** A terminal gets a table that stays in its place; everything else gets plain lines. */
export const screenOn = (output: NodeJS.WriteStream): Screen => {
  let shown = 0;
  return {
    step: line => {
      output.write(`${line}\n`);
    },
    state: (table, line) => {
      if (!output.isTTY) {
        output.write(`${line}\n`);
        return;
      }
      const width = output.columns || 80;
      if (shown > 0) output.write(`\x1b[${shown}A`);
      output.write(table.map(row => `\x1b[2K${row.slice(0, width)}\n`).join(''));
      shown = table.length;
    },
  };
};
