/** Apache Thrift's Python library on both sides of a pair, in every transport and protocol that it has, judged by what the server counted. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PYTHON } from '../support/foreign-tools.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { total } from '../support/prometheus-text.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/thrift_calc.py', import.meta.url));
/** A Python with the package `thrift` (Debian: python3-thrift). */
const python = process.env.OUTRIDER_THRIFT_PYTHON ?? PYTHON;
const WIRES = [
  ['framed', 'binary'],
  ['framed', 'compact'],
  ['framed', 'json'],
  ['buffered', 'binary'],
  ['buffered', 'compact'],
  ['buffered', 'json'],
  ['header', 'binary'],
  ['header', 'compact'],
] as const;

const { code } = await runToEnd(python, ['-c', 'import thrift']);
const skip = code !== 0 && 'needs the Python package thrift; .ci/run installs what it needs';

t.test('Apache Thrift in Python against itself', { skip, timeout: 120_000 }, async t => {
  const ports = await freePorts(WIRES.length);
  const servers = WIRES.map(
    ([transport, protocol], i) =>
      new RunningProcess(python, [PROGRAM, 'server', String(ports[i]), transport, protocol]),
  );
  t.teardown(() => Promise.all(servers.map(server => server.stop())));
  await Promise.all(ports.map(port => waitFor('the server', () => connects(port))));
  await using pair = await startSidecarPair({
    services: WIRES.map((wire, i) => ({
      name: wire.join('-'),
      port: 9090,
      protocol: 'thrift',
      appPort: ports[i] ?? 0,
    })),
  });
  for (const [i, [transport, protocol]] of WIRES.entries()) {
    const name = `${transport}-${protocol}`;
    await t.test(name, async t => {
      const client = await runToEnd(python, [PROGRAM, 'client', String(pair.upstream(name)), transport, protocol]);
      t.equal(client.code, 0, client.stderr);
      const cases = new Map(
        client.stdout
          .split('\n')
          .filter(line => line !== '')
          .map(line => JSON.parse(line) as Record<string, unknown>)
          .map(answer => [answer.case, answer]),
      );
      t.match(cases.get('echo'), { name: 'echo', kind: 2, same: true, field: 0, text: 'héllo' });
      t.match(cases.get('multiplexed'), { kind: 2, same: true, text: 'm' });
      t.match(cases.get('void'), { kind: 2, fields: 0 });
      t.match(cases.get('declared'), { kind: 2, field: 1 });
      t.match(cases.get('nested'), { kind: 2, field: 0, same: true });
      t.match(cases.get('unknown'), { kind: 3, code: 1, same: true });
      t.match(cases.get('large'), { kind: 2, length: protocol === 'json' ? 100_000 : 10_000_000 });
      t.match(cases.get('many'), { done: 50 });
      const lines =
        servers[i]
          ?.output()
          .split('\n')
          .filter(line => /^\S+ [14]$/.test(line)) ?? [];
      t.equal(lines.length, 58, 'the server counted every call');
      const samples = await pair.a.samples();
      const count = (labels: Readonly<Record<string, string>>): number =>
        total(samples, 'outrider_requests_total', { destination_service: name, request_protocol: 'thrift', ...labels });
      t.equal(count({ method: 'echo', response_code: '200' }), 53);
      t.equal(count({ method: 'Calc:echo', response_code: '200' }), 1);
      t.equal(count({ method: 'declared', response_code: '422' }), 1);
      t.equal(count({}), 58);
    });
  }
});
