/** What docs/getting-started.md tells people to type does what it says. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { freePort } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const PAGE = readFileSync(new URL('../../docs/getting-started.md', import.meta.url), 'utf8');

t.setTimeout(60_000);

/** The blocks of one language in the section about a mesh of two. */
const blocks = (language: string): string[] => {
  const [, section = ''] = /^## A mesh of two\n(.*?)^## /ms.exec(PAGE) ?? [];
  return [...section.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);
};

t.test('docs/getting-started.md: a mesh of two', async t => {
  const folder = t.testdir();
  const port = String(await freePort());
  for (const text of blocks('js')) {
    const [, name = ''] = /^\/\/ (\S+)\n/.exec(text) ?? [];
    writeFileSync(join(folder, name), text.replace('8080', port));
  }
  const wordsOf = (line: string): string[] =>
    line
      .trim()
      .replace('8080', port)
      .split(' ')
      .slice(1)
      .map(word => (word === 'node' ? process.execPath : word));
  const [controlPlane = '', service = '', caller = ''] = blocks('sh');
  const env: Record<string, string | undefined> = { OUTRIDER_DATA_DIR: join(folder, 'data'), NODE_OPTIONS: undefined };
  const options = { env, cwd: folder };

  const free = ['--rest', '127.0.0.1:0', '--channel', '127.0.0.1:0', '--metrics', '127.0.0.1:0'];
  await using plane = new RunningProcess(process.execPath, [PROGRAM, ...wordsOf(controlPlane), ...free], options);
  const portOf = (what: string): Promise<string> =>
    waitFor('the control plane', () => new RegExp(`"${what}_port":(\\d+)`).exec(plane.stdout)?.[1]);
  env.OUTRIDER_SERVER = `https://127.0.0.1:${await portOf('rest')}`;
  env.OUTRIDER_CONTROL_PLANE = `https://127.0.0.1:${await portOf('channel')}`;

  await using hello = new RunningProcess(process.execPath, [PROGRAM, ...wordsOf(service)], options);
  const answer = await waitFor('an answer', async () => {
    const { code, stdout } = await runToEnd(process.execPath, [PROGRAM, ...wordsOf(caller)], options);
    return code === 0 && stdout.startsWith('hello') ? stdout : undefined;
  });
  t.equal(answer, blocks('text')[0], hello.output());

  for (const command of ['status', 'get workloads']) {
    t.match(PAGE, `\`outrider ${command}\``);
    t.match(await runToEnd(process.execPath, [PROGRAM, ...command.split(' ')], options), { code: 0, stdout: /hello-/ });
  }
});
