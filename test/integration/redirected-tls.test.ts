/** TLS on connections that were redirected, and on those that were not: whose it is, under each mode of a PeerAuthentication. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { type ConnectionOptions, connect as connectTls, createServer as createTlsServer } from 'node:tls';
import t from 'tap';
import type { MtlsMode } from '../../api/snapshot.ts';
import { asPeer } from '../support/mtls-peers.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';
import { EMPTY_SNAPSHOT, startRedirectedSidecar } from '../support/redirected-sidecar.ts';
import { createWebAuthority, webCertificate } from '../support/tls-server.ts';

t.setTimeout(30_000);

const mesh = createTestMesh();
const peer = asPeer(createSvid(mesh.root, 'client'));

/** Hears TLS of its own, and whatever else comes, and says which it was. */
const own = createTlsServer({
  ...webCertificate(createWebAuthority(), 'app.example'),
  ALPNProtocols: ['outrider/1', 'h2'],
});
own.on('secureConnection', socket => socket.on('error', () => {}).end('the app, by TLS'));
own.on('tlsClientError', () => {});
let heard = 0;
const app = net
  .createServer(socket => {
    socket
      .on('error', () => {})
      .once('data', first => {
        heard++;
        socket.pause();
        if (first[0] === 22) {
          socket.unshift(first);
          own.emit('connection', socket);
        } else if (first.toString().startsWith('GET '))
          socket.end('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nthe app');
        else socket.end('the app, by bytes');
      });
  })
  .listen(0, '127.0.0.1');
await once(app, 'listening');
const appPort = (app.address() as AddressInfo).port;
t.teardown(() => {
  app.close();
});

const sidecar = await startRedirectedSidecar({ mesh, svid: createSvid(mesh.root, 'web'), appPorts: `http=${appPort}` });
t.teardown(() => sidecar[Symbol.asyncDispose]());

const collect = (socket: net.Socket): Promise<string> =>
  new Promise(resolve => {
    let text = '';
    socket
      .on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
      .on('error', (error: NodeJS.ErrnoException) => (text ||= error.code ?? error.message))
      .on('close', () => resolve(text));
  });
const plain = (say: string): Promise<string> => {
  const socket = net.connect(sidecar.inbound, '127.0.0.1');
  socket.write(say);
  return collect(socket);
};
const tls = (options: ConnectionOptions): Promise<string> =>
  collect(
    connectTls({
      host: '127.0.0.1',
      port: sidecar.inbound,
      rejectUnauthorized: false,
      servername: 'app.example',
      ...options,
    }),
  );
/** What a request of a peer by HTTP/2 is answered, or why not. */
const http2 = (alpn: string): Promise<string> =>
  new Promise(resolve => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: sidecar.inbound,
      rejectUnauthorized: false,
      ...peer,
      ALPNProtocols: [alpn],
    });
    const session = connectHttp2('http://web', { createConnection: () => socket });
    let text = '';
    session.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('secureConnect', () => {
      const stream = session.request({ ':path': '/' });
      stream.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
      stream
        .on('error', () => {})
        .on('close', () => {
          session.destroy();
          resolve(text);
        });
    });
  });

const KINDS = {
  http: () => plain('GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n'),
  garbage: () => plain('\x00\x01\x02garbage'),
  'own TLS': () => tls({}),
  'own TLS for HTTP/2': () => tls({ ALPNProtocols: ['h2'] }),
  'own TLS with a mesh certificate': () => tls({ ...peer, ALPNProtocols: ['h2'] }),
  peer: () => http2('outrider/1'),
} as const;
type Answers = Readonly<Record<keyof typeof KINDS, RegExp>>;
const refused = /^ECONNRESET$|^EPIPE$/;
const OPEN = {
  http: /^HTTP\/1.1 200 OK[\s\S]*the app$/,
  garbage: /^the app, by bytes$/,
  'own TLS': /^the app, by TLS$/,
  'own TLS for HTTP/2': /^the app, by TLS$/,
  'own TLS with a mesh certificate': /^the app, by TLS$/,
} as const;
const closed = Object.fromEntries(Object.keys(OPEN).map(kind => [kind, refused])) as Record<keyof typeof OPEN, RegExp>;
const EXPECTED: Readonly<Record<MtlsMode, Answers>> = {
  STRICT: { ...closed, peer: /^the app$/ },
  PERMISSIVE: { ...OPEN, peer: /^the app$/ },
  DISABLE: { ...OPEN, peer: /^(?!the app$)/ },
};

for (const [mode, answers] of Object.entries(EXPECTED))
  t.test(`${mode}, at a port of the app`, async t => {
    sidecar.snapshots.set({ ...EMPTY_SNAPSHOT, mtls: { mode: mode as MtlsMode, ports: {} } });
    sidecar.goingTo = { host: '10.0.0.7', port: appPort };
    for (const [kind, say] of Object.entries(KINDS)) {
      const before = heard;
      t.match(await say(), answers[kind as keyof Answers], kind);
      if (answers[kind as keyof Answers] === refused) t.equal(heard, before, `no byte of it reaches the app: ${kind}`);
    }
  });

t.test('DISABLE: even what looks like a peer is for the app', async t => {
  sidecar.snapshots.set({ ...EMPTY_SNAPSHOT, mtls: { mode: 'DISABLE', ports: {} } });
  sidecar.goingTo = { host: '10.0.0.7', port: appPort };
  t.equal(await tls({ ...peer, ALPNProtocols: ['outrider/1'] }), 'the app, by TLS');
});

t.test('the port of the sidecar itself takes HTTP/2 with a mesh certificate too, and nothing without one', async t => {
  sidecar.goingTo = undefined;
  for (const mode of ['STRICT', 'PERMISSIVE'] as const) {
    sidecar.snapshots.set({ ...EMPTY_SNAPSHOT, mtls: { mode, ports: {} } });
    t.equal(await http2('outrider/1'), 'the app', `a peer, ${mode}`);
    t.equal(await http2('h2'), 'the app', `a client with a mesh certificate, ${mode}`);
    const before = heard;
    t.not(await KINDS.http(), 'the app');
    t.notMatch(await KINDS['own TLS'](), /the app/);
    t.equal(heard, before);
  }
});

t.test('a peer whose first message comes in pieces is a peer', async t => {
  sidecar.snapshots.set({ ...EMPTY_SNAPSHOT, mtls: { mode: 'STRICT', ports: {} } });
  sidecar.goingTo = { host: '10.0.0.7', port: appPort };
  const slow = net.connect(sidecar.inbound, '127.0.0.1');
  const dribble = async (chunk: Buffer): Promise<void> => {
    for (const byte of chunk.subarray(0, 40)) {
      slow.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    slow.write(chunk.subarray(40));
  };
  const relay = net.createServer(socket => {
    socket.on('error', () => {}).on('data', (chunk: Buffer) => void dribble(chunk));
    slow.on('error', () => {}).pipe(socket);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const socket = connectTls({
    host: '127.0.0.1',
    port: (relay.address() as AddressInfo).port,
    rejectUnauthorized: false,
    ...peer,
    ALPNProtocols: ['outrider/1'],
  });
  await once(socket, 'secureConnect');
  t.equal(socket.alpnProtocol, 'outrider/1');
  socket.destroy();
  slow.destroy();
  relay.close();
});
