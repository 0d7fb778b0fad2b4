import t from 'tap';
import { createCertificateAuthority, createKeyPair } from '../../../certs/certificate-authority.ts';
import { basicConstraints, keyUsage, subjectAltName } from '../../../certs/extensions.ts';
import { formatPem } from '../../../certs/pem.ts';
import { encodeName, NAME, type Name, signCertificate } from '../../../certs/sign-certificate.ts';
import { createSpiffeBundle, parseTrustBundle } from '../../../certs/trust-bundle.ts';
import { accepted, createSvid, createTestMesh } from '../../support/peer-certificates.ts';

const mesh = createTestMesh();
const next = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: mesh.nowMs }));

/** A self-signed CA with these URIs, or none. */
const userRoot = (uris: readonly string[]): string => {
  const { privateKey, publicKey } = createKeyPair();
  const subject: Name = [[NAME.commonName, 'Corporate CA']];
  const names = uris.length === 0 ? [] : [subjectAltName({ uris }, false)];
  const fields = {
    subject,
    publicKey,
    notBeforeMs: mesh.nowMs,
    notAfterMs: mesh.nowMs + 86_400_000,
    extensions: [basicConstraints(true), keyUsage(['keyCertSign']), ...names],
  };
  return formatPem(signCertificate(fields, { name: encodeName(subject), privateKey }), 'CERTIFICATE');
};

t.test('each root belongs to the trust domain that it names, and one without a name to ours', t => {
  const bundle = accepted(
    parseTrustBundle(
      mesh.root.certificatePem + mesh.otherRoot.certificatePem + next.certificatePem + userRoot([]),
      'mesh.local',
    ),
  );
  t.equal(bundle.roots.get('mesh.local')?.length, 3);
  t.equal(bundle.roots.get('other.example')?.length, 1);
  t.equal(bundle.roots.size, 2);
  t.end();
});

t.test('its version changes with its roots, not with their order, their repetition or the text around them', t => {
  const version = (pem: string): string => accepted(parseTrustBundle(pem, 'mesh.local')).version;
  const [a, b] = [mesh.root.certificatePem, next.certificatePem];
  t.equal(version(a + b), version(`# comment\n${b}${a}${b}`));
  t.not(version(a), version(a + b));
  t.not(version(a), version(b));
  t.equal(accepted(parseTrustBundle(`hello\n${a}${a}`, 'mesh.local')).pem, a, 'the PEM is written anew');
  t.end();
});

t.test('what is no root is refused with the reason', t => {
  const refused = (pem: string, reason: string) =>
    t.match(parseTrustBundle(pem, 'mesh.local'), { reason, sentence: /\.$/ });
  refused('', 'bundle_empty');
  refused(formatPem(Buffer.of(1, 2, 3), 'CERTIFICATE'), 'bundle_malformed');
  refused(mesh.root.certificatePem + createSvid(mesh.root, 'web').certificatePem, 'bundle_not_ca');
  refused(mesh.intermediate.certificatePem, 'bundle_not_root');
  refused(userRoot(['spiffe://mesh.local/ns/default/sa/web']), 'bundle_root_id');
  refused(userRoot(['spiffe://mesh.local:1']), 'bundle_root_id');
  t.end();
});

t.test('as a SPIFFE bundle it is a JWK set: use x509-svid, no kid, exactly one certificate each', t => {
  const bundle = accepted(
    parseTrustBundle(mesh.root.certificatePem + next.certificatePem + mesh.otherRoot.certificatePem, 'mesh.local'),
  );
  const exported = createSpiffeBundle(bundle, 'mesh.local', { sequence: 7, refreshHintSeconds: 300 });
  t.match(exported, { spiffe_sequence: 7, spiffe_refresh_hint: 300 });
  t.equal(exported.keys.length, 2);
  for (const [i, key] of exported.keys.entries()) {
    t.match(key, { kty: 'EC', crv: 'P-256', x: String, y: String, use: 'x509-svid' });
    t.notOk('kid' in key || 'd' in key);
    t.same(key.x5c, [[mesh.root, next][i]!.certificate.raw.toString('base64')]);
  }
  t.same(createSpiffeBundle(bundle, 'nowhere.example', { sequence: 1, refreshHintSeconds: 1 }).keys, []);
  t.end();
});
