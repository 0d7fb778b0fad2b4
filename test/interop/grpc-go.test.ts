/** gRPC's 14 interoperability cases between Go (grpc-go), Node (`@grpc/grpc-js`) and Python (C core), each side behind a sidecar of its own. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { findProgram, grpcInteropDirectory, missing, PYTHON } from '../support/foreign-tools.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { total } from '../support/prometheus-text.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
const directory = grpcInteropDirectory() ?? '';
/** Each takes `server PORT` or `client PORT AUTHORITY`. */
const PROGRAMS = {
  go: [findProgram('grpc-interop') ?? ''],
  node: [process.execPath, join(FIXTURES, 'grpc_interop.mjs'), directory],
  python: [PYTHON, join(FIXTURES, 'grpc_interop.py'), directory],
};
type Language = keyof typeof PROGRAMS;
const LANGUAGES = Object.keys(PROGRAMS) as readonly Language[];

const skip =
  missing('python3', 'grpc-interop') ||
  (!existsSync(join(directory, 'src/proto/grpc/testing/test.proto')) &&
    "needs gRPC's interop programs; .ci/run fetches them");

t.setTimeout(120_000);

t.test('the 14 interop cases of gRPC between Go, Node and Python', { skip }, async t => {
  const ports = await freePorts(LANGUAGES.length);
  const start = (language: Language, ...args: readonly string[]) => {
    const [command = '', ...words] = PROGRAMS[language];
    return [command, [...words, ...args]] as const;
  };
  const servers = LANGUAGES.map(
    (language, i) => new RunningProcess(...start(language, 'server', String(ports[i])), { name: language }),
  );
  t.teardown(() => Promise.all(servers.map(server => server.stop())));
  await Promise.all(ports.map((port, i) => waitFor(`the server in ${LANGUAGES[i]}`, () => connects(port))));
  await using pair = await startSidecarPair({
    services: LANGUAGES.map((name, i) => ({ name, port: 50051, protocol: 'grpc', appPort: ports[i] ?? 0 })),
  });
  for (const from of LANGUAGES)
    for (const to of LANGUAGES)
      await t.test(`a client in ${from}, a server in ${to}`, async t => {
        const counts = async (): Promise<readonly number[]> => {
          const samples = await pair.b.samples();
          return ['0', '2', '12'].map(status =>
            total(samples, 'outrider_requests_total', { destination_service: to, grpc_response_status: status }),
          );
        };
        const before = await counts();
        const client = await runToEnd(...start(from, 'client', String(pair.outbound), `${to}:50051`));
        const lines = client.stdout.split('\n').filter(line => /^(not )?ok /.test(line));
        if (!t.equal(lines.length, 14, 'all cases ran')) t.comment(client.stderr.slice(-2_000));
        for (const line of lines) t.ok(line.startsWith('ok '), line.replace(/^(not )?ok \d+ - /, ''));
        const [ok = 0, unknown, unimplemented] = (await counts()).map((value, i) => value - (before[i] ?? 0));
        // Python's ping_pong goes away before the status of its last call; Node half-closes what it cancels, and may be answered first.
        t.ok(ok >= (from === 'python' ? 7 : 8) && ok <= 10, `${ok} calls counted as OK`);
        t.same([unknown, unimplemented], [3, 2], 'counted as UNKNOWN and UNIMPLEMENTED');
      });
});
