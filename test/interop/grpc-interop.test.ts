/** gRPC's own 14 interoperability cases, Python (C core) on both ends, through a pair; with a direct connection as the control. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { grpcInteropDirectory, missing, PYTHON } from '../support/foreign-tools.ts';
import { startPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/grpc_interop.py', import.meta.url));
const directory = grpcInteropDirectory();
const skip = missing('python3') || (directory === undefined && "needs gRPC's interop programs; .ci/run fetches them");

t.test('the 14 interop cases of gRPC', { skip }, async t => {
  const port = await freePort();
  await using server = new RunningProcess(PYTHON, [PROGRAM, directory ?? '', 'server', String(port)]);
  await waitFor(`the interop server ${server.pid}`, () => connects(port));
  await using pair = await startPair({ services: [{ name: 'interop', port: 50051, protocol: 'grpc', appPort: port }] });

  const cases = async (name: string, dial: number, authority: string): Promise<void> => {
    const done = await runToEnd(PYTHON, [PROGRAM, directory ?? '', 'client', String(dial), authority], {
      timeoutMs: 120_000,
    });
    const lines = done.stdout.split('\n').filter(line => /^(not )?ok /.test(line));
    await t.test(name, async t => {
      if (!t.equal(lines.length, 14, 'all cases ran')) t.comment(done.stderr.slice(-2_000));
      for (const line of lines) t.ok(line.startsWith('ok '), line.replace(/^(not )?ok \d+ - /, ''));
    });
  };
  await cases('control: straight to the server', port, 'localhost');
  await cases('through the port of the upstream', pair.upstream('interop'), 'localhost');
  if (pair.kind === 'sidecars')
    await cases('through the outbound listener, by authority', pair.outbound, 'interop:50051');
});
