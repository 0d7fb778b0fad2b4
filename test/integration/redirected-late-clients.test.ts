/** Clients of redirected connections that say nothing for longer than the sidecar looks. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { DEFAULT_POLICY, type PortView } from '../../api/snapshot.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';
import { runToEnd } from '../support/processes.ts';
import { EMPTY_SNAPSHOT, startRedirectedSidecar } from '../support/redirected-sidecar.ts';

t.setTimeout(30_000);

const app = createServer((_, response) => void response.end('hello')).listen(0, '127.0.0.1');
await once(app, 'listening');
const { port } = app.address() as AddressInfo;
t.teardown(() => {
  app.closeAllConnections();
  app.close();
});

/** In a process of its own, since connections of the sidecar's process that are redirected to it are a loop. */
const LATE_CLIENT = `
const socket = require('node:net').connect(process.argv[1], '127.0.0.1');
setTimeout(() => socket.write('GET / HTTP/1.1\\r\\nhost: web\\r\\nconnection: close\\r\\n\\r\\n'), 300);
socket.on('error', error => console.log(error.code)).pipe(process.stdout);`;

/** How the call of a late client was logged. */
const methodOfLateCall = async (declaration: Pick<PortView, 'assumed'>): Promise<string> => {
  const mesh = createTestMesh();
  const service = {
    name: 'web',
    namespace: 'default',
    addresses: ['10.96.0.1'],
    ports: [{ port: 80, name: '', protocol: 'http', ...declaration, routes: [], policy: DEFAULT_POLICY }],
    endpoints: [
      {
        address: `127.0.0.1:${port}`,
        identity: null,
        ports: { 80: port },
        weight: 1,
        workload: 'web-1',
        labels: {},
        locality: '',
      },
    ],
  } as const;
  await using sidecar = await startRedirectedSidecar({
    mesh,
    svid: createSvid(mesh.root, 'client'),
    snapshot: { ...EMPTY_SNAPSHOT, services: [service] },
  });
  sidecar.goingTo = { host: '10.96.0.1', port: 80 };
  const env = { NODE_OPTIONS: undefined };
  const { stdout } = await runToEnd(process.execPath, ['-e', LATE_CLIENT, String(sidecar.outbound)], { env });
  t.match(stdout, /^HTTP\/1\.1 200 [\s\S]*hello/);
  return (JSON.parse(sidecar.lines.at(-1) ?? '{}') as { method?: string }).method ?? '';
};

t.test('to a port that is said to speak HTTP they are served as HTTP, however late', async t => {
  t.equal(await methodOfLateCall({}), 'GET');
});

t.test('to a port of which nobody says anything they go on as bytes: the server may speak first', async t => {
  t.equal(await methodOfLateCall({ assumed: true }), 'CONNECT');
});
