import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Command } from 'commander';
import t from 'tap';
import { registerWait } from '../../../cli/wait.ts';

/** `outrider wait` for a sidecar that answers so, one after the other, the last one for ever. */
const wait = async (statuses: readonly number[], flags: readonly string[] = []) => {
  let asked = 0;
  const server = createServer((_, response) => {
    const status = statuses[Math.min(asked++, statuses.length - 1)] ?? 200;
    response.writeHead(status).end(status === 200 ? 'ready' : 'There is no certificate yet.');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stderr = t.capture(process.stderr, 'write', () => true);
  const before = process.exitCode;
  const program = new Command('outrider').exitOverride();
  registerWait(program);
  if (statuses.length === 0) server.close();
  try {
    await program.parseAsync(['wait', '--url', `http://127.0.0.1:${port}/healthz/ready`, ...flags], { from: 'user' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
  const code = process.exitCode;
  process.exitCode = before;
  stderr.restore();
  return {
    code,
    asked,
    stderr: stderr()
      .map(({ args }) => String(args[0]))
      .join(''),
  };
};

t.test('it ends when the sidecar is ready', async t => {
  t.match(await wait([503, 503, 200]), { code: undefined, asked: 3, stderr: '' });
});

t.test('when time is over it says what was missing', async t => {
  t.match(await wait([503], ['--timeout', '150ms']), {
    code: 1,
    stderr: 'error: the sidecar was not ready in time: There is no certificate yet.\n',
  });
  t.match(await wait([], ['--timeout', '150ms']), { code: 1, stderr: /ECONNREFUSED/ });
});

t.test('a timeout is a duration', async t => {
  await t.rejects(wait([], ['--timeout', 'soon']), /It must be a duration/);
});
