/** The demo holds the other end of standard input: whatever becomes of it, this process ends with it. */
export const endWithStdin = (onLine: (line: string) => void = () => {}): void => {
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', text => {
    for (const line of String(text).split('\n')) if (line !== '') onLine(line);
  });
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
};
