/** `outrider run` with plain programs, which know nothing of the mesh but the environment that it gives them. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { request } from 'undici';
import type { ControlPlane } from '../../control-plane/control-plane.ts';
import { freePort } from '../support/ports.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { RestClient, startControlPlane } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

t.setTimeout(120_000);

const SERVER = `
const http = require('node:http');
const server = http.createServer((request, response) => {
  console.log('GOT ' + request.url);
  setTimeout(() => response.end(request.headers['x-outrider-peer']), request.url === '/slow' ? 700 : 0);
});
const listen = () => server.listen(Number(process.env.PORT), process.env.HOST || '127.0.0.1', () => console.log('LISTENS'));
if (process.env.WAIT) process.on('SIGUSR2', listen), setInterval(() => {}, 1_000);
else listen();
process.on('SIGTERM', async () => {
  if (process.env.BYE) console.log('BYE ' + (await fetch(process.env.BYE)).status);
  process.exit(9);
});
console.log('STARTED');
`;

const NODE_CLIENT = `
require('node:http').get('http://web/node', response => {
  response.setEncoding('utf8').on('data', text => console.log(response.statusCode, text));
  response.on('end', () => process.exit(3));
});
`;

const UNDICI_CLIENT = `
const { EnvHttpProxyAgent, request } = require('undici');
request('http://web/undici', { dispatcher: new EnvHttpProxyAgent() }).then(async ({ statusCode, body }) => {
  console.log(statusCode, await body.text());
  process.exit(4);
});
`;

const GRPC = `
const grpc = require('@grpc/grpc-js');
const same = bytes => bytes;
const say = { path: '/echo.Echo/Say', requestStream: false, responseStream: false,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
`;
const GRPC_SERVER = `${GRPC}
const server = new grpc.Server();
server.addService({ Say: say }, { Say: (call, done) => done(null, Buffer.concat([Buffer.from('you said '), call.request])) });
server.bindAsync('127.0.0.1:' + process.env.PORT, grpc.ServerCredentials.createInsecure(), () => {});
`;
const GRPC_CLIENT = `${GRPC}
const client = new grpc.Client(process.env.TARGET || process.env.OUTRIDER_UPSTREAM_ECHO_DEFAULT, grpc.credentials.createInsecure());
client.makeUnaryRequest(say.path, same, same, Buffer.from('hello'), (error, answer) => {
  console.log(error ? String(error) : answer.toString());
  process.exit(error ? 1 : 0);
});
`;

const FILES = {
  data: {},
  'server.cjs': SERVER,
  'node-client.cjs': NODE_CLIENT,
  'undici-client.cjs': UNDICI_CLIENT,
  'grpc-server.cjs': GRPC_SERVER,
  'grpc-client.cjs': GRPC_CLIENT,
};

/** tap's loaders are for tests, not for the programs under test. */
const meshEnv = (plane: ControlPlane, dataDir: string) => ({
  OUTRIDER_SERVER: plane.restUrl,
  OUTRIDER_CONTROL_PLANE: `https://127.0.0.1:${plane.channel.port}`,
  OUTRIDER_DATA_DIR: dataDir,
  NODE_OPTIONS: undefined,
});

const words = (flags: string, ...app: readonly string[]): string[] => [
  PROGRAM,
  'run',
  ...flags.split(' '),
  '--',
  ...app,
];

/** The port of the sidecar's metrics, from what `run` says at its start. */
const metricsUrl = (unit: RunningProcess): Promise<string> =>
  waitFor('the sidecar', () => /metrics (http:\/\/[^/]+)/.exec(unit.stderr)?.[1]);

const isReady = async (unit: RunningProcess): Promise<boolean> =>
  (await request(`${await metricsUrl(unit)}/healthz/ready`)).statusCode === 200;

t.test('two programs call each other by the environment alone', async t => {
  const dir = t.testdir(FILES);
  const dataDir = join(dir, 'data');
  await using plane = await startControlPlane(dataDir);
  const env = meshEnv(plane, dataDir);
  const [port, grpcPort] = [await freePort(), await freePort()];
  const node = (file: string) => [process.execPath, join(dir, file)];
  await using web = new RunningProcess(process.execPath, words(`--service web --port ${port}`, ...node('server.cjs')), {
    env: { ...env, PORT: String(port) },
  });
  await using echo = new RunningProcess(
    process.execPath,
    words(`--service echo --port grpc=${grpcPort} --labels version=v1 --drain 2s`, ...node('grpc-server.cjs')),
    { env: { ...env, PORT: String(grpcPort) } },
  );
  await waitFor('both to be ready', async () => (await isReady(web)) && (await isReady(echo)));

  const [one, two, three, four] = await Promise.all([
    runToEnd(process.execPath, words('--service client', ...node('node-client.cjs')), { env }),
    runToEnd(process.execPath, words('--service client --service-account other', ...node('undici-client.cjs')), {
      env,
    }),
    runToEnd(
      process.execPath,
      words('--service client --namespace books --upstream echo.default=0', ...node('grpc-client.cjs')),
      { env },
    ),
    runToEnd(process.execPath, words('--service client', ...node('grpc-client.cjs')), {
      env: { ...env, TARGET: 'echo:80' },
    }),
  ]);
  t.match(one, { code: 3, stdout: '200 spiffe://mesh.local/ns/default/sa/client\n' }, 'node:http');
  t.match(two, { code: 4, stdout: '200 spiffe://mesh.local/ns/default/sa/other\n' }, 'undici');
  t.match(three, { code: 0, stdout: 'you said hello\n' }, 'gRPC by a local port, from a namespace that came with it');
  t.match(four, { code: 0, stdout: 'you said hello\n' }, 'gRPC by grpc_proxy');

  await using rest = new RestClient(plane.restUrl, dataDir);
  const { body } = await rest.call('GET', '/apis/outrider.mesh/v1/namespaces/default/workloads');
  t.match(
    body.items?.map(({ metadata, spec }) => [spec?.service, metadata?.labels?.version]),
    [
      ['echo', 'v1'],
      ['web', undefined],
    ],
  );
});

t.test('it ends in order: inbound finishes, the app is told, the app may call out to its end', async t => {
  const dir = t.testdir(FILES);
  const dataDir = join(dir, 'data');
  await using plane = await startControlPlane(dataDir);
  const env = meshEnv(plane, dataDir);
  const [port, otherPort] = [await freePort(), await freePort()];
  const server = [process.execPath, join(dir, 'server.cjs')];
  await using web = new RunningProcess(process.execPath, words(`--service web --port ${port}`, ...server), {
    env: { ...env, PORT: String(port), BYE: 'http://other/bye' },
  });
  await using other = new RunningProcess(
    process.execPath,
    words(`--service other --port ${otherPort} --upstream web=0`, ...server),
    { env: { ...env, PORT: String(otherPort), WAIT: '1' } },
  );
  await waitFor('web to be ready', () => isReady(web));
  await waitFor('the other to start', () => other.stdout.includes('STARTED'));
  t.notOk(await isReady(other), 'not ready while the app does not listen');
  other.signal('SIGUSR2');
  await waitFor('the other to be ready', () => isReady(other));
  t.match(other.stdout, /LISTENS/, 'signals that mean nothing to us reach the app');

  const [, proxy = ''] = /HTTP_PROXY=(\S+),/.exec(other.stderr) ?? [];
  const slow = request(`${proxy}/slow`, { headers: { host: 'web' } });
  await waitFor('the slow request', () => web.stdout.includes('GOT /slow'));
  web.signal('SIGTERM');
  const answer = await slow;
  t.equal(answer.statusCode, 200);
  t.equal(await answer.body.text(), 'spiffe://mesh.local/ns/default/sa/other');
  t.match(await web.exited, { code: 9 }, "the app's own exit code");
  t.match(web.stdout, /GOT \/slow\nBYE 200\n/);
  t.match(other.stdout, /GOT \/bye/);

  const outside = createServer((_request, response) => response.end('outside')).listen(0, '127.0.0.1');
  t.teardown(() => outside.close());
  await once(outside, 'listening');
  const host = `127.0.0.1:${(outside.address() as AddressInfo).port}`;
  const passed = await request(proxy, { headers: { host } });
  t.equal(await passed.body.text(), 'outside', 'what is not in the mesh is reached as without it');

  const gone = await request(proxy, { headers: { host: 'web' } });
  await gone.body.dump();
  t.not(gone.statusCode, 200, 'nobody is behind the name any more');
});

t.test('exit codes and signals are those of the app', async t => {
  const dataDir = t.testdir();
  await using plane = await startControlPlane(dataDir);
  const env = meshEnv(plane, dataDir);
  const run = (...app: readonly string[]) => runToEnd(process.execPath, words('--service job', ...app), { env });
  const [seven, killed, missing, folder, output] = await Promise.all([
    run('sh', '-c', 'exit 7'),
    run('sh', '-c', 'kill -9 $$'),
    run('no-such-program'),
    run(dataDir),
    run('sh', '-c', 'echo "$NODE_USE_ENV_PROXY $no_proxy"; [ "$HTTP_PROXY" = "$grpc_proxy" ]'),
  ]);
  t.equal(seven.code, 7);
  t.equal(killed.code, 128 + 9);
  t.match(missing, { code: 127, stderr: /cannot start no-such-program: there is no such program/ });
  t.match(folder, { code: 126, stderr: /it may not be executed/ });
  t.match(output, { code: 0, stdout: '1 localhost,127.0.0.1,::1\n' }, "standard output is the app's alone");

  await using shell = new RunningProcess(
    process.execPath,
    words('--service job --drain 1s', 'sh', '-c', 'trap "" TERM; echo "PID $$"; sleep 30'),
    { env },
  );
  const pid = await waitFor('the app', () => /PID (\d+)/.exec(shell.stdout)?.[1]);
  shell.signal('SIGTERM');
  t.match(await shell.exited, { code: 128 + 9 }, 'an app that does not end in its time is killed');
  t.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' }, 'it and what it started');
});

t.test('an app that listens off loopback is warned of', async t => {
  const dir = t.testdir(FILES);
  const dataDir = join(dir, 'data');
  await using plane = await startControlPlane(dataDir);
  const port = await freePort();
  await using web = new RunningProcess(
    process.execPath,
    words(`--service web --port ${port}`, process.execPath, join(dir, 'server.cjs')),
    { env: { ...meshEnv(plane, dataDir), PORT: String(port), HOST: '0.0.0.0' } },
  );
  await waitFor('it to be ready', () => isReady(web));
  const hasOtherAddress = Object.values(networkInterfaces()).some(all =>
    all?.some(({ internal, family }) => !internal && family === 'IPv4'),
  );
  // Without another address there is nothing to warn of; the pause is in the readiness above.
  const warning = /warning: web also listens on .*go round the mesh/;
  t.equal(await waitFor('the warning', () => !hasOtherAddress || warning.test(web.stderr)), true);
});

t.test('without a control plane it says which command starts one; wrong usage is 2', async t => {
  const env = { OUTRIDER_DATA_DIR: t.testdir(), NODE_OPTIONS: undefined };
  const run = (flags: string) => runToEnd(process.execPath, words(flags, 'echo', 'RAN'), { env });
  const [none, dead, wrong] = await Promise.all([
    run('--service web --port 8080'),
    run('--service web --server https://127.0.0.1:1'),
    run('--service Web! --port nine --upstream x'),
  ]);
  for (const { code, stdout, stderr } of [none, dead]) {
    t.equal(code, 1);
    t.equal(stdout, '', 'the app did not start');
    t.match(stderr, /`outrider control-plane` (makes|starts)/);
  }
  t.match(wrong, { code: 2, stderr: /--service must be a DNS name.*--port must be ports.*--upstream must be NAME=/s });
  t.match(await runToEnd(process.execPath, [PROGRAM, 'run', '--service', 'web'], { env }), { code: 2 });
});
