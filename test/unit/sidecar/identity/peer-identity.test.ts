import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { readPem } from '../../../../certs/pem.ts';
import { readPeerIdentity } from '../../../../sidecar/identity/peer-identity.ts';
import { createSvid, createTestMesh } from '../../../support/peer-certificates.ts';

const mesh = createTestMesh();
const web = createSvid(mesh.root, 'web', 'shop', mesh.nowMs);

/** As much of a socket as tells who is there. */
const socketOf = (pem: string, authorized: boolean): TLSSocket => {
  const [der] = readPem(pem, 'CERTIFICATE');
  return { authorized, getPeerX509Certificate: () => der && new X509Certificate(der) } as unknown as TLSSocket;
};

t.test('a verified peer has an identity', t => {
  t.match(readPeerIdentity(socketOf(web.certificatePem, true), mesh.bundle, mesh.nowMs), {
    id: web.id,
    trustDomain: 'mesh.local',
    namespace: 'shop',
    serviceAccount: 'web',
    notAfterMs: Math.floor((mesh.nowMs + 86_400_000) / 1_000) * 1_000,
    fingerprintSha256: new X509Certificate(web.certificatePem).fingerprint256.replaceAll(':', '').toLowerCase(),
  });
  t.end();
});

t.test('a socket that TLS has not authorized has no peer, however good its certificate', t => {
  t.match(readPeerIdentity(socketOf(web.certificatePem, false), mesh.bundle, mesh.nowMs), { reason: 'not_authorized' });
  t.end();
});

t.test('a socket without a certificate has no peer', t => {
  t.match(readPeerIdentity(socketOf('', true), mesh.bundle, mesh.nowMs), { reason: 'no_certificate' });
  t.end();
});

t.test('a chain without end is cut and refused', t => {
  const leaf = new X509Certificate(web.certificatePem);
  const endless = { raw: leaf.raw };
  Object.defineProperty(endless, 'issuerCertificate', { get: () => endless });
  const socket = { authorized: true, getPeerX509Certificate: () => endless } as unknown as TLSSocket;
  t.match(readPeerIdentity(socket, mesh.bundle, mesh.nowMs), { reason: 'chain_too_long' });
  t.end();
});
