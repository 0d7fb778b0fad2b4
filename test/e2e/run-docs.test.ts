/** What the README and docs/getting-started.md tell people to type does what they say. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { docBlocks } from '../support/doc-blocks.ts';
import { freePort } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const has = (program: string, ...args: readonly string[]): boolean => spawnSync(program, args).status === 0;

t.setTimeout(120_000);

const PAGES = [
  { page: 'docs/getting-started.md', heading: 'A mesh of two', needs: true },
  { page: 'README.md', heading: 'A first mesh', needs: has('curl', '--version') || 'curl is not installed' },
] as const;

for (const { page, heading, needs } of PAGES)
  t.test(`${page}: ${heading}`, { skip: needs === true ? false : needs }, async t => {
    const folder = t.testdir();
    const [port, flaskPort] = [String(await freePort()), String(await freePort())];
    const placed = (text: string): string => text.replaceAll('8080', port).replaceAll('5000', flaskPort);
    for (const text of [...docBlocks(page, heading, 'js'), ...docBlocks(page, heading, 'python')]) {
      const [, name = ''] = /^(?:\/\/|#) (\S+)\n/.exec(text) ?? [];
      writeFileSync(join(folder, name), placed(text));
    }
    /** The arguments of `outrider` in one line. */
    const wordsOf = (line: string): string[] =>
      placed(line)
        .trim()
        .split(' ')
        .slice(1)
        .map(word => (word === 'node' ? process.execPath : word));
    const [controlPlane = '', service = '', caller = '', flask = ''] = docBlocks(page, heading, 'sh');
    const env: Record<string, string> = { OUTRIDER_DATA_DIR: join(folder, 'data'), PYTHONDONTWRITEBYTECODE: '1' };
    const options = { env, cwd: folder };

    const free = ['--rest', '127.0.0.1:0', '--channel', '127.0.0.1:0', '--metrics', '127.0.0.1:0'];
    await using plane = new RunningProcess(process.execPath, [PROGRAM, ...wordsOf(controlPlane), ...free], options);
    const portOf = (what: string): Promise<string> =>
      waitFor('the control plane', () => new RegExp(`"${what}_port":(\\d+)`).exec(plane.stdout)?.[1]);
    env.OUTRIDER_SERVER = `https://127.0.0.1:${await portOf('rest')}`;
    env.OUTRIDER_CONTROL_PLANE = `https://127.0.0.1:${await portOf('channel')}`;

    const answerTo = async (line: string, expected: string | undefined): Promise<void> => {
      const answer = async () => {
        const { stdout } = await runToEnd(process.execPath, [PROGRAM, ...wordsOf(line)], options);
        return stdout.startsWith('hello') && stdout;
      };
      const said = await waitFor(`an answer to ${line}`, answer, 30_000);
      t.equal(said, expected);
    };
    const [fromNode, fromFlask] = docBlocks(page, heading, 'text');
    await using _hello = new RunningProcess(process.execPath, [PROGRAM, ...wordsOf(service)], options);
    await answerTo(caller, fromNode);

    const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
    for (const command of ['status', 'get workloads']) {
      t.match(text, `\`outrider ${command}\``);
      const shown = await runToEnd(process.execPath, [PROGRAM, ...command.split(' ')], options);
      t.match(shown, { code: 0, stdout: /hello-/ });
    }

    if (fromFlask === undefined || !has('flask', '--version')) return;
    const [serve = '', ask = ''] = flask.trim().split('\n');
    await using _flask = new RunningProcess(process.execPath, [PROGRAM, ...wordsOf(serve)], options);
    await answerTo(ask, fromFlask);
  });
