import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { createCertificateAuthority } from '../../certs/certificate-authority.ts';
import { parseTrustBundle } from '../../certs/trust-bundle.ts';
import type { CertificateStore } from '../../sidecar/identity/certificate-store.ts';
import { dial, startTerminator, storeWith } from '../support/mtls-peers.ts';
import { accepted, createSvid, createTestMesh, identityMaterial } from '../support/peer-certificates.ts';

const echo = async (socket: TLSSocket, text: string): Promise<string> => {
  socket.write(text);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString();
};

const open = async (port: number, expectedId: string, store: CertificateStore): Promise<TLSSocket> => {
  const dialled = await dial({ port, expectedId, store });
  if ('error' in dialled) throw new Error(`${dialled.error.detail} ${dialled.error.cause}`);
  dialled.socket.on('error', () => {});
  return dialled.socket;
};

/** Open, and known to be accepted: in TLS 1.3 the client is done before the server has looked at it. */
const openAndTalk = async (port: number, expectedId: string, store: CertificateStore): Promise<TLSSocket> => {
  const socket = await open(port, expectedId, store);
  await echo(socket, 'hello');
  return socket;
};

const serialOf = (socket: TLSSocket): string | undefined => socket.getPeerX509Certificate()?.serialNumber;

t.test('a renewed certificate is used by new connections, and open ones go on with the old one', async t => {
  const mesh = createTestMesh();
  const web = createSvid(mesh.root, 'web');
  const store = storeWith(mesh, web);
  const callers = storeWith(mesh, createSvid(mesh.root, 'caller'));
  await using server = await startTerminator(store, 'direct');
  const before = await openAndTalk(server.port, web.id, callers);
  t.equal(await echo(before, 'one'), 'one');

  t.equal(store.replace(identityMaterial(createSvid(mesh.intermediate, 'web'), mesh.bundle)), undefined);
  t.equal(callers.replace(identityMaterial(createSvid(mesh.intermediate, 'caller'), mesh.bundle)), undefined);
  const after = await openAndTalk(server.port, web.id, callers);
  t.equal(await echo(before, 'two'), 'two');
  t.equal(await echo(after, 'three'), 'three');
  t.not(serialOf(before), serialOf(after));
  t.not(server.connections[0]!.peer.fingerprintSha256, server.connections[1]!.peer.fingerprintSha256);
  before.destroy();
  after.destroy();
});

t.test(
  'a root is rotated while connections stay open: every step lets old and new talk, and the end shuts the old out',
  async t => {
    const mesh = createTestMesh();
    const next = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: mesh.nowMs }));
    const both = accepted(parseTrustBundle(mesh.root.certificatePem + next.certificatePem, 'mesh.local')).pem;
    const web = createSvid(mesh.root, 'web');
    const [store, late, early] = [web, createSvid(mesh.root, 'late'), createSvid(mesh.root, 'early')].map(svid =>
      storeWith(mesh, svid),
    ) as [CertificateStore, CertificateStore, CertificateStore];
    await using server = await startTerminator(store, 'direct');
    const sockets = [await openAndTalk(server.port, web.id, early)];

    // Spreading: the server knows both roots, the late client only the old one.
    t.equal(store.replace({ trustBundlePem: both }), undefined);
    t.equal(early.replace({ trustBundlePem: both }), undefined);
    sockets.push(await openAndTalk(server.port, web.id, early), await openAndTalk(server.port, web.id, late));

    // Replacing: certificates of the new root appear one by one.
    t.equal(late.replace({ trustBundlePem: both }), undefined);
    t.equal(early.replace({ ...createSvid(next, 'early'), trustBundlePem: both }), undefined);
    sockets.push(await openAndTalk(server.port, web.id, early), await openAndTalk(server.port, web.id, late));
    t.equal(store.replace({ ...createSvid(next, 'web'), trustBundlePem: both }), undefined);
    sockets.push(await openAndTalk(server.port, web.id, early), await openAndTalk(server.port, web.id, late));

    // Done: the old root goes.
    t.equal(store.replace({ trustBundlePem: next.certificatePem }), undefined);
    t.equal(early.replace({ trustBundlePem: next.certificatePem }), undefined);
    sockets.push(await openAndTalk(server.port, web.id, early));
    for (const [i, socket] of sockets.entries()) t.equal(await echo(socket, `hello ${i}`), `hello ${i}`);

    const refused = await open(server.port, web.id, late);
    refused.resume();
    await once(refused, 'close');
    t.equal(server.refusals.length, 1);
    t.match(
      late.replace({ trustBundlePem: next.certificatePem }),
      { reason: 'untrusted' },
      'who kept the old certificate is told so',
    );
    for (const socket of sockets) socket.destroy();
  },
);
