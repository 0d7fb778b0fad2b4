/** TLS of the app's own to what is no service by its address: the name that it asks for tells where it leads. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import t from 'tap';
import { DEFAULT_POLICY, type PolicyView, type RouteView, type Snapshot } from '../../api/snapshot.ts';
import type { Address } from '../../sidecar/config.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';
import { runToEnd } from '../support/processes.ts';
import { total } from '../support/prometheus-text.ts';
import { EMPTY_SNAPSHOT, startRedirectedSidecar } from '../support/redirected-sidecar.ts';
import { createWebAuthority, webCertificate } from '../support/tls-server.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(30_000);

const authority = createWebAuthority();
const server = createTlsServer(webCertificate(authority, 'localhost'), socket => {
  socket.on('error', () => {}).end(`hello ${String(socket.servername)}`);
}).listen(0, '127.0.0.1');
const greeter = net.createServer(socket => socket.on('error', () => {}).end('welcome')).listen(0, '127.0.0.1');
await Promise.all([server, greeter].map(each => once(each, 'listening')));
const port = (server.address() as AddressInfo).port;
t.teardown(() => [server, greeter].map(each => each.close()));

/** Of requests: it has nothing to say to TLS. */
const ROUTE: RouteView = {
  name: 'default/payments/0',
  matches: [{ path: { type: 'PathPrefix', value: '/pay' } }],
  filters: [],
  backends: [],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry: null,
};
let versions = 1;
const snapshot = (outboundPolicy: Snapshot['outboundPolicy'], policy: PolicyView = DEFAULT_POLICY): Snapshot => ({
  ...EMPTY_SNAPSHOT,
  configVersion: `${++versions}`,
  outboundPolicy,
  services: [
    {
      name: 'payments',
      namespace: 'default',
      addresses: [],
      ports: [{ port: 80, name: '', protocol: 'http', authority: `localhost:${port}`, routes: [ROUTE], policy }],
      endpoints: [
        {
          address: `localhost:${port}`,
          identity: null,
          ports: { 80: port },
          weight: 1,
          workload: 'payments',
          labels: {},
          locality: '',
        },
      ],
    },
  ],
});

const mesh = createTestMesh();
const sidecar = await startRedirectedSidecar({ mesh, svid: createSvid(mesh.root, 'web') });
t.teardown(() => sidecar[Symbol.asyncDispose]());

/** In a process of its own: connections of the sidecar's process that are redirected to it are a loop, and cut. */
const CLIENT = `
const [kind, port, name] = process.argv.slice(1);
const options = { host: '127.0.0.1', port: Number(port) };
const socket = kind === 'tls'
  ? require('node:tls').connect({ ...options, servername: name, rejectUnauthorized: false })
  : require('node:net').connect(options);
if (kind === 'http') socket.write('GET / HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n');
const startedAt = performance.now();
socket.on('error', error => process.stdout.write(error.code));
socket.on('data', data => process.stdout.write(data));
socket.on('close', () => console.log('|' + Math.round(performance.now() - startedAt)));`;
const say = async (kind: 'tls' | 'http' | 'nothing', goingTo: Address, name = '') => {
  sidecar.goingTo = goingTo;
  const { stdout } = await runToEnd(process.execPath, ['-e', CLIENT, kind, String(sidecar.outbound), name], {
    env: { NODE_OPTIONS: undefined },
  });
  const [heard = '', ms] = stdout.trim().split('|');
  return { heard, ms: Number(ms) };
};
const call = async (name: string, host: string): Promise<string> => (await say('tls', { host, port }, name)).heard;
const counted = async (destination: string): Promise<number> =>
  total(await sidecar.samples(), 'outrider_tcp_connections_opened_total', { destination_service: destination });

t.test('REGISTRY_ONLY: TLS to a server outside that has a name here goes to it, whatever the address', async t => {
  sidecar.snapshots.set(snapshot('REGISTRY_ONLY'));
  t.equal(await call('localhost', '203.0.113.9'), 'hello localhost', 'by the name, not by the address');
  t.equal(await call('LOCALHOST', '127.0.0.1'), 'hello LOCALHOST', 'in any case');
  await waitFor('it to be counted', async () => (await counted('payments')) === 2);
  await waitFor('it to be logged', () => sidecar.lines.some(line => line.includes(`"authority":"localhost:${port}"`)));
});

t.test('REGISTRY_ONLY: everything else is reset', async t => {
  const before = await counted('payments');
  t.equal(await call('other.example', '127.0.0.1'), 'ECONNRESET', 'another name');
  t.equal(await call('', '127.0.0.1'), 'ECONNRESET', 'no name');
  const to = { host: '127.0.0.1', port };
  t.equal((await say('http', to)).heard, 'ECONNRESET', 'no TLS');
  t.equal((await say('nothing', to)).heard, 'ECONNRESET', 'nothing at all');
  t.equal(await counted('payments'), before);
});

t.test('what is TLS already is not put into TLS again', async t => {
  const tls = { hostname: '', caCertificates: authority.certificatePem };
  sidecar.snapshots.set(snapshot('REGISTRY_ONLY', { ...DEFAULT_POLICY, tls }));
  t.equal(await call('localhost', '203.0.113.9'), 'hello localhost');
});

t.test('ALLOW_ANY: other names go where they were going, and nobody waits for a look that tells nothing', async t => {
  sidecar.snapshots.set(snapshot('ALLOW_ANY'));
  t.equal(await call('other.example', '127.0.0.1'), 'hello other.example');
  const to = { host: '127.0.0.1', port: (greeter.address() as AddressInfo).port };
  const { heard, ms } = await say('nothing', to);
  t.equal(heard, 'welcome');
  // A look would take 50 ms more than the best of a few.
  const others = await Promise.all([1, 2].map(() => say('nothing', to)));
  t.ok(Math.min(ms, ...others.map(each => each.ms)) < 50, 'a server that speaks first does so at once');
});
