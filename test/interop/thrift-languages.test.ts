/**
 * Apache Thrift's libraries for Python, Node, Go and C++ with the compiler's code, each as client of each: through the mesh a program sees what it
 * sees straight, in every transport and protocol that the two have in common.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { RouteView } from '../../api/snapshot.ts';
import { FOREIGN_PACKAGES, missingPackages } from '../support/foreign-packages.ts';
import { PYTHON, THRIFT_PROGRAMS } from '../support/foreign-tools.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { total } from '../support/prometheus-text.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/thrift', import.meta.url));
const PLAIN = [
  'framed-binary',
  'framed-compact',
  'framed-json',
  'buffered-binary',
  'buffered-compact',
  'buffered-json',
  'framed-binary-multiplexed',
  'buffered-compact-multiplexed',
];
/** The library for Node cannot use THeader on sockets. */
const ALL = [...PLAIN, 'header-binary', 'header-compact'];

interface Language {
  readonly command: readonly [string, ...string[]];
  readonly wires: readonly string[];
}
const LANGUAGES: Readonly<Record<string, Language>> = {
  python: { command: [PYTHON, join(FIXTURES, 'program.py')], wires: ALL },
  node: { command: [process.execPath, join(FIXTURES, 'program.cjs')], wires: PLAIN },
  go: { command: [join(THRIFT_PROGRAMS, 'program-go')], wires: ALL },
  cpp: { command: [join(THRIFT_PROGRAMS, 'program-cpp')], wires: ALL },
};
const env = {
  PYTHONPATH: join(THRIFT_PROGRAMS, 'py'),
  NODE_PATH: join(FOREIGN_PACKAGES, 'node_modules'),
  CALC_GEN: join(THRIFT_PROGRAMS, 'js'),
  NODE_OPTIONS: undefined,
};

/** The library for Go sends oneway methods as calls: `RPCRoute` has to say which they are. */
const routesTo = (name: string): readonly RouteView[] =>
  [true, false].map(oneway => ({
    name: oneway ? 'note' : 'rest',
    matches: oneway ? [{ path: { type: 'RegularExpression', value: '/[^/]+/note' } }] : [],
    filters: [],
    backends: [{ service: `${name}.default`, port: 9090, weight: 1, filters: [] }],
    requestTimeoutMs: null,
    attemptTimeoutMs: 0,
    retry: null,
    oneway,
  }));

const skip = existsSync(join(THRIFT_PROGRAMS, 'ready'))
  ? missingPackages('thrift')
  : 'needs programs that .ci/fetch-tools builds';

t.setTimeout(240_000);

t.test('each language as client of each', { skip }, async t => {
  const served = Object.entries(LANGUAGES).flatMap(([server, { wires }]) =>
    wires.map(wire => ({ server, wire, name: `${server}-${wire}` })),
  );
  const ports = await freePorts(served.length);
  const portOf = new Map(served.map(({ name }, i) => [name, ports[i] ?? 0]));
  for (const [server, { command, wires }] of Object.entries(LANGUAGES)) {
    const [program, ...words] = command;
    const places = wires.map(wire => `${wire}=${portOf.get(`${server}-${wire}`)}`);
    const running = new RunningProcess(program, [...words, 'server', ...places], { env });
    t.teardown(() => running.stop());
  }
  await Promise.all(ports.map(port => waitFor('the servers', () => connects(port), 30_000)));
  await using pair = await startSidecarPair({
    services: served.map(({ name }) => ({ name, port: 9090, protocol: 'thrift', appPort: portOf.get(name) ?? 0 })),
    editSnapshot: snapshot => ({
      ...snapshot,
      services: snapshot.services.map(service => ({
        ...service,
        ports: service.ports.map(port => ({ ...port, routes: routesTo(service.name) })),
      })),
    }),
  });
  const run = async (client: Language, wires: readonly string[], portTo: (wire: string) => number): Promise<string> => {
    const [program, ...words] = client.command;
    const places = wires.map(wire => `${wire}=${portTo(wire)}`);
    const { code, stdout, stderr } = await runToEnd(program, [...words, 'client', ...places], {
      env,
      timeoutMs: 30_000,
    });
    return code === 0 ? stdout : `exit code ${code}\n${stdout}${stderr}`;
  };
  for (const [server, { wires: theirs }] of Object.entries(LANGUAGES))
    for (const [name, client] of Object.entries(LANGUAGES))
      await t.test(`${name} to ${server}`, async t => {
        const wires = theirs.filter(wire => client.wires.includes(wire));
        const straight = await run(client, wires, wire => portOf.get(`${server}-${wire}`) ?? 0);
        const meshed = await run(client, wires, wire => pair.upstream(`${server}-${wire}`));
        t.equal(meshed, straight);
        t.equal(straight.split('\n').length, wires.length * 8 + 1, 'every case of every wire was seen');
        t.match(straight, /\tlarge\t10000000\n/);
      });
  const samples = await pair.b.samples();
  for (const { server, wire, name } of served) {
    const clients = Object.values(LANGUAGES).filter(({ wires }) => wires.includes(wire)).length;
    const count = (method: string, response_code: string): number =>
      total(samples, 'outrider_requests_total', {
        destination_service: name,
        request_protocol: 'thrift',
        method,
        response_code,
      });
    const prefix = wire.endsWith('multiplexed') ? 'Calc:' : '';
    t.equal(count(`${prefix}echo`, '200'), 52 * clients, `${server}, ${wire}: calls`);
    t.equal(count(`${prefix}refuse`, '422'), clients, 'declared exceptions');
    t.equal(count(`${prefix}grow`, '200'), clients);
  }
});
