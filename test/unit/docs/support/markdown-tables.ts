/** The cells of the first table under a heading of a Markdown page, without its head. */
export const tableRows = (page: string, heading: string): string[][] => {
  const section = page.split(/^## /m).find(part => part.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n');
  const start = lines.findIndex(line => line.startsWith('| --- '));
  const rows: string[][] = [];
  for (const line of lines.slice(start + 1)) {
    if (start < 0 || !line.startsWith('| ')) break;
    rows.push(
      line
        .slice(2, -2)
        .split(' | ')
        .map(cell => cell.trim()),
    );
  }
  return rows;
};
