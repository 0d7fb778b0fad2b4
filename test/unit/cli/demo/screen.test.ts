import t from 'tap';
import { screenOn } from '../../../../cli/demo/screen.ts';

const written = (isTTY: boolean): string => {
  let text = '';
  const output = { isTTY, columns: 5, write: (part: string) => (text += part) } as unknown as NodeJS.WriteStream;
  const screen = screenOn(output);
  screen.step('begins');
  screen.state(['a table', 'of two'], 'one line');
  screen.state(['a table', 'of two'], 'one line');
  return text;
};

t.test('a terminal gets a table in its place, everything else plain lines', t => {
  t.equal(written(false), 'begins\none line\none line\n');
  t.equal(written(true), 'begins\n\x1b[2Ka tab\n\x1b[2Kof tw\n\x1b[2A\x1b[2Ka tab\n\x1b[2Kof tw\n');
  t.end();
});
