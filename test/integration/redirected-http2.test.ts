/** HTTP/2 with prior knowledge, on redirected connections to ports of which nobody said what they speak. */
import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { DEFAULT_POLICY } from '../../api/snapshot.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';
import { runToEnd } from '../support/processes.ts';
import { EMPTY_SNAPSHOT, startRedirectedSidecar } from '../support/redirected-sidecar.ts';

t.setTimeout(30_000);

/** Speaks HTTP/2 and nothing else. */
const app = createServer((incoming, response) => {
  response.end(`HTTP/${incoming.httpVersion} ${incoming.method} ${incoming.authority}`);
}).listen(0, '127.0.0.1');
const sockets = new Set<Socket>();
app.on('connection', (socket: Socket) => sockets.add(socket));
await once(app, 'listening');
const port = (app.address() as AddressInfo).port;
t.teardown(() => {
  app.close();
  for (const socket of sockets) socket.destroy();
});

const call = async (at: number, authority: string, method = 'GET', body = ''): Promise<string> => {
  const session = connect(`http://127.0.0.1:${at}`);
  const stream = session.request({ ':authority': authority, ':path': '/', ':method': method });
  if (method !== 'GET') stream.end(body);
  const answer = await text(stream);
  session.destroy();
  return answer;
};

/** The same in a process of its own: connections of the sidecar's process that are redirected to it are a loop, and cut. */
const CLIENT = `
const session = require('node:http2').connect('http://127.0.0.1:' + process.argv[1]);
session.on('error', error => console.log(error.code));
const stream = session.request({ ':authority': 'web.example', ':path': '/' });
stream.on('data', data => process.stdout.write(data)).on('close', () => session.destroy());`;

t.test('over the mesh it reaches the app as HTTP/2', async t => {
  const mesh = createTestMesh();
  const svid = createSvid(mesh.root, 'web');
  await using server = await startRedirectedSidecar({ mesh, svid, appPorts: `http=${port}` });
  const service = {
    name: 'web',
    namespace: 'default',
    addresses: ['10.96.0.1'],
    ports: [{ port: 80, name: '', protocol: 'http', routes: [], policy: DEFAULT_POLICY }],
    endpoints: [
      {
        address: `127.0.0.1:${server.inbound}`,
        identity: svid.id,
        ports: { 80: port },
        weight: 1,
        workload: 'web-1',
        labels: {},
        locality: '',
      },
    ],
  } as const;
  await using caller = await startRedirectedSidecar({
    mesh,
    svid: createSvid(mesh.root, 'client'),
    snapshot: { ...EMPTY_SNAPSHOT, services: [service] },
  });
  caller.goingTo = { host: '10.96.0.1', port: 80 };
  const env = { NODE_OPTIONS: undefined };
  const { stdout } = await runToEnd(process.execPath, ['-e', CLIENT, String(caller.outbound)], { env });
  t.equal(stdout, 'HTTP/2.0 GET web.example');
});

t.test('from a client without a sidecar it reaches the app as HTTP/2', async t => {
  const mesh = createTestMesh();
  await using sidecar = await startRedirectedSidecar({
    mesh,
    svid: createSvid(mesh.root, 'web'),
    appPorts: `http=${port}`,
    snapshot: { ...EMPTY_SNAPSHOT, mtls: { mode: 'PERMISSIVE', ports: {} } },
  });
  sidecar.goingTo = { host: '10.0.0.7', port };
  t.equal(await call(sidecar.inbound, 'web.example'), 'HTTP/2.0 GET web.example');
  t.equal(await call(sidecar.inbound, 'web.example', 'POST', 'body'), 'HTTP/2.0 POST web.example');
});
