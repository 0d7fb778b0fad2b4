/**
 * Programs in Python and Node that know nothing of a mesh call each other by the environment that `outrider run` gives them and nothing else:
 * Flask and `urllib`, `node:http` and `fetch`, python3-grpcio and `@grpc/grpc-js`.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ControlPlaneProcess } from '../support/control-plane-process.ts';
import { PYTHON } from '../support/foreign-tools.ts';
import { freePorts } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const GRPC = fileURLToPath(new URL('../../node_modules/@grpc/grpc-js', import.meta.url));
/** From no process at all to the first answer over mTLS; what a user sees after the install. */
const FIRST_CALL_MS = 10_000;

t.setTimeout(120_000);

const FILES = {
  data: {},
  'greeter.py': `
from flask import Flask, request
app = Flask(__name__)

@app.get("/")
def greet():
    return "Flask greets " + request.headers["x-outrider-peer"] + "\\n"
`,
  'ask.py': `
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1]).read().decode(), end="")
`,
  'greeter.mjs': `
import { createServer } from 'node:http';
createServer((request, response) => response.end('Node greets ' + request.headers['x-outrider-peer'] + '\\n')).listen(process.env.PORT, '127.0.0.1');
`,
  'ask.mjs': `
process.stdout.write(await (await fetch(process.argv[2])).text());
`,
  'grpc_server.py': `
import os
from concurrent import futures
import grpc

handlers = {"Say": grpc.unary_unary_rpc_method_handler(lambda said, context: b"Python heard " + said)}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
server.add_insecure_port("127.0.0.1:" + os.environ["PORT"])
server.start()
server.wait_for_termination()
`,
  'grpc_ask.py': `
import sys
import grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    print(channel.unary_unary("/test.Echo/Say")(b"Python", timeout=10).decode())
`,
  'grpc-server.cjs': `
const grpc = require(${JSON.stringify(GRPC)});
const same = bytes => bytes;
const say = { path: '/test.Echo/Say', requestStream: false, responseStream: false, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
const server = new grpc.Server();
server.addService({ say }, { say: (call, answer) => answer(null, Buffer.concat([Buffer.from('Node heard '), call.request])) });
server.bindAsync('127.0.0.1:' + process.env.PORT, grpc.ServerCredentials.createInsecure(), () => {});
`,
  'grpc-ask.cjs': `
const grpc = require(${JSON.stringify(GRPC)});
const same = bytes => bytes;
const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure());
client.makeUnaryRequest('/test.Echo/Say', same, same, Buffer.from('Node'), (error, answer) => {
  console.log(error ? String(error) : answer.toString());
  client.close();
});
`,
};

const hasPython = spawnSync(PYTHON, ['-c', 'import flask, grpc']).status === 0;
const skip = hasPython ? false : 'needs python3-flask and python3-grpcio; .ci/run installs what it needs';

t.test('Python and Node call each other by what `run` gives them', { skip }, async t => {
  const dir = t.testdir(FILES);
  const started = performance.now();
  await using plane = new ControlPlaneProcess(join(dir, 'data'));
  await plane.start();
  const env = {
    OUTRIDER_SERVER: plane.restUrl,
    OUTRIDER_CONTROL_PLANE: plane.channelUrl,
    OUTRIDER_DATA_DIR: plane.dataDir,
    PYTHONDONTWRITEBYTECODE: '1',
  };
  const node = (file: string, ...args: readonly string[]) => [process.execPath, file, ...args];
  const python = (file: string, ...args: readonly string[]) => [PYTHON, file, ...args];
  const [flaskPort = 0, nodePort = 0, pythonGrpc = 0, nodeGrpc = 0] = await freePorts(4);
  const serve = (service: string, protocol: string, port: number, app: readonly string[]) =>
    new RunningProcess(
      process.execPath,
      [PROGRAM, 'run', '--service', service, '--port', `${protocol}=${port}`, '--drain', '2s', '--', ...app],
      { name: service, cwd: dir, env: { ...env, PORT: String(port) } },
    );
  const ask = async (service: string, app: readonly string[], expected: string): Promise<void> => {
    const words = [PROGRAM, 'run', '--service', service, '--', ...app];
    const { stdout } = await waitFor(
      `${service}: ${expected}`,
      async () => {
        const result = await runToEnd(process.execPath, words, { cwd: dir, env });
        return result.stdout.includes(expected) && result;
      },
      30_000,
    );
    t.equal(stdout, `${expected}\n`);
  };

  const flask = [PYTHON, '-m', 'flask', '--app', 'greeter', 'run', '--port', String(flaskPort)];
  await using _greeter = serve('greeter', 'http', flaskPort, flask);
  await ask('asker', node('ask.mjs', 'http://greeter/'), 'Flask greets spiffe://mesh.local/ns/default/sa/asker');
  const firstMs = performance.now() - started;
  t.comment(`first answer over mTLS after ${Math.round(firstMs)} ms, control plane and both sidecars included`);
  t.ok(firstMs < FIRST_CALL_MS, 'the first call comes soon');

  await using _node = serve('node', 'http', nodePort, node('greeter.mjs'));
  await using _pythonGrpc = serve('python-grpc', 'grpc', pythonGrpc, python('grpc_server.py'));
  await using _nodeGrpc = serve('node-grpc', 'grpc', nodeGrpc, node('grpc-server.cjs'));
  await ask('asker', python('ask.py', 'http://node/'), 'Node greets spiffe://mesh.local/ns/default/sa/asker');
  await ask('asker', node('grpc-ask.cjs', 'python-grpc:80'), 'Python heard Node');
  await ask('asker', python('grpc_ask.py', 'node-grpc:80'), 'Node heard Python');
});
