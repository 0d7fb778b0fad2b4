/**
 * manifests/compose: its references hold, and its commands do what it says, run as processes: names of containers become loopback, their ports free
 * ones, their folders temporary ones. It takes no container engine, so the image itself is not built here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { freePorts } from '../support/ports.ts';
import { RunningProcess } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const FILE = fileURLToPath(new URL('../../manifests/compose/compose.yaml', import.meta.url));
const FOLDER = dirname(FILE);

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile_inline: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}
/** The members of the Compose Specification that the file may use. */
const MEMBERS = [
  'image',
  'build',
  'command',
  'environment',
  'volumes',
  'ports',
  'depends_on',
  'healthcheck',
  'stop_grace_period',
];

const compose = parse(readFileSync(FILE, 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const serviceOf = (name: string): Service => {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service;
};

t.setTimeout(60_000);

t.test('what it refers to is there', async t => {
  t.same(Object.keys(compose.services), ['control-plane', 'hello', 'caller', 'prometheus']);
  for (const [name, service] of Object.entries(compose.services)) {
    t.same(
      Object.keys(service).filter(member => !MEMBERS.includes(member)),
      [],
      name,
    );
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      t.equal(condition, 'service_healthy');
      t.ok(serviceOf(other).healthcheck, `${other} says when it is healthy`);
    }
    for (const volume of service.volumes ?? []) {
      const [from = ''] = volume.split(':');
      t.ok(from.startsWith('.') ? existsSync(join(FOLDER, from)) : from in compose.volumes, `${name}: ${from}`);
    }
    const { context = '', dockerfile_inline: dockerfile = '' } = service.build ?? {};
    for (const [, what = ''] of dockerfile.matchAll(/^COPY (.*) \.\/.*$/gm))
      for (const path of what.split(' ')) t.ok(existsSync(resolve(FOLDER, context, path)), `COPY ${path}`);
  }
});

t.test('its commands make a mesh in which the caller is answered', async t => {
  const data = join(t.testdir(), 'data');
  const [rest = 0, channel = 0, metrics = 0, app = 0] = await freePorts(4);
  const here = (text: string): string =>
    text
      .replaceAll(/(control-plane|0\.0\.0\.0|127\.0\.0\.1):15010/g, `127.0.0.1:${rest}`)
      .replaceAll(/control-plane:15012/g, `127.0.0.1:${channel}`)
      .replaceAll(/127\.0\.0\.1:15014/g, `127.0.0.1:${metrics}`)
      .replace('0.0.0.0:15020', '127.0.0.1:0')
      .replace(/^8080$/, String(app))
      .replace(/^\/data$/, data)
      .replace(/^\/app\//, `${FOLDER}/`)
      .replace(/^node$/, process.execPath);
  const start = (name: string, more: readonly string[] = []): RunningProcess => {
    const { command = [], environment = {} } = serviceOf(name);
    const env = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, here(value)]));
    return new RunningProcess(process.execPath, [PROGRAM, ...command.map(here), ...more], {
      name,
      env: { ...env, PORT: String(app) },
    });
  };

  await using _plane = start('control-plane', [
    '--channel',
    `127.0.0.1:${channel}`,
    '--metrics',
    `127.0.0.1:${metrics}`,
  ]);
  const [, node = '', ...check] = (serviceOf('control-plane').healthcheck?.test ?? []).map(here);
  await waitFor('it to be healthy', async () => (await new RunningProcess(node, check).exited).code === 0);
  await using hello = start('hello');
  await using caller = start('caller');
  const answer = await waitFor('an answer', () => /^200 .*$/m.exec(caller.stdout)?.[0], 20_000);
  t.equal(answer, '200 hello, spiffe://mesh.local/ns/default/sa/caller', hello.output());
});
