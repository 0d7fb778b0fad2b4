/** What a page tells people to type, line by line. */
export interface DocCommand {
  readonly line: string;
  /** What the page says comes out: the block of text right after the last line of a block of commands. */
  readonly shows?: string;
}

/** The lines of the `sh` blocks of a Markdown text, in their order. */
export const docCommands = (markdown: string): readonly DocCommand[] =>
  [...markdown.matchAll(/^```sh\n(.*?)^```(?:\n\n```text\n(.*?)^```)?/gms)].flatMap(([, commands = '', shows]) => {
    const lines = commands.trim().split('\n');
    return lines.map((line, i) => (i === lines.length - 1 && shows !== undefined ? { line, shows } : { line }));
  });
