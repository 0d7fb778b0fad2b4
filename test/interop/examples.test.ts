/** Each example under manifests/examples: what its README tells people to type is typed, and what it shows comes out. */
import { chmodSync, cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ControlPlaneProcess } from '../support/control-plane-process.ts';
import { type DocCommand, docCommands } from '../support/doc-commands.ts';
import { missing, PYTHON } from '../support/foreign-tools.ts';
import { freePorts } from '../support/ports.ts';
import { type ProcessOptions, RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../manifests/examples', import.meta.url));

const index = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');

/** What has to be installed for each, beside Node and the development packages. */
const NEEDS: Readonly<Record<string, { readonly programs: readonly string[]; readonly python?: string }>> = {
  rest: { programs: ['flask'], python: 'flask' },
  grpc: { programs: ['protoc', 'grpc_python_plugin'], python: 'grpc, google.protobuf' },
  thrift: { programs: ['thrift'], python: 'thrift' },
  redis: { programs: ['redis-server', 'redis-cli'] },
};

t.setTimeout(180_000);

const folder = t.testdir({ bin: {}, data: {} });
const bin = join(folder, 'bin');
// The commands of a README are typed as they are: `outrider` is this checkout's, `python3` the one that Debian's packages belong to.
writeFileSync(join(bin, 'outrider'), `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`);
chmodSync(join(bin, 'outrider'), 0o755);
symlinkSync(process.execPath, join(bin, 'node'));
const path = [bin, dirname(PYTHON), process.env.PATH].join(delimiter);

const plane = new ControlPlaneProcess(join(folder, 'data'));
t.teardown(() => plane[Symbol.asyncDispose]());
await plane.start();
const env = {
  PATH: path,
  OUTRIDER_SERVER: plane.restUrl,
  OUTRIDER_CONTROL_PLANE: plane.channelUrl,
  OUTRIDER_DATA_DIR: plane.dataDir,
  PYTHONDONTWRITEBYTECODE: '1',
};

const type = (line: string): readonly [string, readonly string[]] => ['sh', ['-c', `exec ${line}`]];

/** Names of workloads, their ages and the width of columns are others each time. */
const lasting = (text: string): string =>
  text
    .replace(/-[0-9a-f]{10}\b/g, '-ID')
    .replace(/ \d+s$/gm, ' AGE')
    .replace(/ +/g, ' ');

const skipOf = async (name: string): Promise<string | false> => {
  const needs = NEEDS[name];
  if (needs === undefined) return false;
  const absent = missing(...needs.programs);
  if (absent !== false || needs.python === undefined) return absent;
  const { code } = await runToEnd(PYTHON, ['-c', `import ${needs.python}`]);
  return code !== 0 && `needs ${needs.python} of Python; .ci/run installs what it needs`;
};

interface Placed {
  readonly cwd: string;
  readonly commands: readonly DocCommand[];
  /** With free ports in place of the README's. */
  readonly placed: (text: string) => string;
}

/** A copy of an example in a folder of its own, on free ports. */
const place = async (name: string): Promise<Placed> => {
  const cwd = join(folder, name);
  cpSync(join(EXAMPLES, name), cwd, { recursive: true });
  const readme = readFileSync(join(cwd, 'README.md'), 'utf8');
  const own = new Set([...readme.matchAll(/(?:--port |=)(?:[a-z]+=)?(\d{4,5})\b/g)].map(([, port = '']) => port));
  const free = await freePorts(own.size);
  const moves = [...own].map((port, i) => [new RegExp(`\\b${port}\\b`, 'g'), String(free[i])] as const);
  const placed = (text: string): string => moves.reduce((moved, [from, to]) => moved.replaceAll(from, to), text);
  for (const file of readdirSync(cwd)) {
    const at = join(cwd, file);
    writeFileSync(at, placed(readFileSync(at, 'utf8')));
  }
  return { cwd, commands: docCommands(readme), placed };
};

const isRegistered = async (service: string, options: ProcessOptions): Promise<boolean> => {
  const { stdout } = await runToEnd('outrider', ['get', 'workloads'], options);
  return stdout.split('\n').some(line => line.startsWith(`${service}-`) && / Healthy /.test(line));
};

for (const { name } of readdirSync(EXAMPLES, { withFileTypes: true }).filter(entry => entry.isDirectory()))
  t.test(name, { skip: await skipOf(name) }, async t => {
    t.match(index, `](${name}/README.md)`, 'the index names it');
    const { cwd, commands, placed } = await place(name);
    const options = { cwd, env };
    await using servers = new AsyncDisposableStack();
    for (const { line, shows } of commands) {
      const [, service] = /^outrider run --service (\S+) --port /.exec(line) ?? [];
      if (service === undefined) {
        const { code, stdout, stderr } = await runToEnd(...type(placed(line)), options);
        t.equal(code, 0, `${line} succeeds`, { stderr });
        if (shows !== undefined) t.equal(lasting(stdout), lasting(placed(shows)), `${line} says what the README shows`);
      } else {
        const server = servers.use(new RunningProcess(...type(placed(line)), options));
        await waitFor(`${service} to be registered`, () => isRegistered(service, options), 20_000).catch(error => {
          throw new Error(server.output(), { cause: error });
        });
      }
    }
  });
