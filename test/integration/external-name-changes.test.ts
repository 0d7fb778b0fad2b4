/** What becomes of connections to a server outside when the policy or the Service changes, in one process. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { request } from 'undici';
import { DEFAULT_POLICY, type PolicyView, type Snapshot } from '../../api/snapshot.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';
import { EMPTY_SNAPSHOT, startRedirectedSidecar } from '../support/redirected-sidecar.ts';
import { createWebAuthority, TlsServer, webCertificate } from '../support/tls-server.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(30_000);

const authority = createWebAuthority();
const trust = { hostname: '', caCertificates: authority.certificatePem };
const other = { hostname: '', caCertificates: createWebAuthority().certificatePem };
const good = webCertificate(authority, 'localhost');
const server = await new TlsServer({ ...good, http2: false }, ({ url }, response) => {
  if (url !== '/slow') response.end('here');
}).listen();
/** Accepts, and never says a word of TLS. */
const mute = net.createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1');
await once(mute, 'listening');
const mesh = createTestMesh();
const sidecar = await startRedirectedSidecar({ mesh, svid: createSvid(mesh.root, 'web') });
t.teardown(async () => {
  await sidecar[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  mute.close();
});

let versions = 1;
const services = (port: number, policy: Partial<PolicyView>): Snapshot['services'] => [
  {
    name: 'payments',
    namespace: 'default',
    addresses: [],
    ports: [{ port: 80, name: '', protocol: 'http', routes: [], policy: { ...DEFAULT_POLICY, ...policy } }],
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
];
const apply = (list: Snapshot['services']): void =>
  sidecar.snapshots.set({ ...EMPTY_SNAPSHOT, configVersion: `${++versions}`, services: list });
const get = async (path = '/'): Promise<string> => {
  const { statusCode, headers, body } = await request(`http://127.0.0.1:${sidecar.outbound}${path}`, {
    headers: { host: 'payments' },
  });
  const said = await body.text();
  return `${statusCode} ${String(headers['x-outrider-detail'] ?? said)}`;
};

t.test('a new list of authorities holds for the next request, also where connections stand', async t => {
  apply(services(server.port, { tls: trust }));
  t.equal(await get(), '200 here');
  const before = server.connections;
  apply(services(server.port, { tls: { ...trust } }));
  t.equal(await get(), '200 here');
  t.equal(server.connections, before, 'what says the same changes nothing');
  apply(services(server.port, { tls: other }));
  t.match(await get(), /^503 server_untrusted/);
  apply(services(server.port, { tls: trust }));
  t.equal(await get(), '200 here');
});

t.test('what is under way ends as it began', async t => {
  const slow = get('/slow');
  await waitFor('the request to arrive', () => server.slow === 1);
  apply(services(server.port, { tls: other }));
  server.answerSlow('late');
  t.equal(await slow, '200 late');
});

t.test('a server that does not answer the handshake is given up in time', async t => {
  const { port } = mute.address() as AddressInfo;
  apply(services(port, { tls: trust, connectTimeoutMs: 100 }));
  t.match(await get(), /^503 tls_timeout/);
});

t.test('who waits for a server that leaves the mesh is told', async t => {
  const { port } = mute.address() as AddressInfo;
  apply(services(port, { tls: trust }));
  const accepted = once(mute, 'connection');
  const waiting = get();
  await accepted;
  apply([]);
  t.match(await waiting, /^503 endpoint_gone/);
  t.match(await get(), /^404 /);
});
