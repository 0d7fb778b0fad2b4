import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { createCertificateAuthority } from '../../../certs/certificate-authority.ts';
import { readPem } from '../../../certs/pem.ts';
import { parseTrustBundle } from '../../../certs/trust-bundle.ts';
import { readSpiffeId, verifySvid } from '../../../certs/verify-svid.ts';
import { accepted, createSvid, createTestMesh, LEGAL_VARIANTS, VIOLATIONS } from '../../support/peer-certificates.ts';

const mesh = createTestMesh();
const chainOf = (pem: string): X509Certificate[] => readPem(pem, 'CERTIFICATE').map(der => new X509Certificate(der));
const outcome = (pem: string, bundle = mesh.bundle, nowMs = mesh.nowMs): string => {
  const result = verifySvid(chainOf(pem), bundle, nowMs);
  return 'reason' in result ? result.reason : result.id.uri;
};

for (const { name, reason, make } of VIOLATIONS) {
  t.test(`a certificate ${name} is refused`, t => {
    const result = verifySvid(chainOf(make(mesh).certificatePem), mesh.bundle, mesh.nowMs);
    t.match(result, { reason, sentence: /^[A-Z].+\.$/ });
    t.end();
  });
}

for (const { name, make } of LEGAL_VARIANTS) {
  t.test(`a certificate ${name} is accepted`, t => {
    t.match(verifySvid(chainOf(make(mesh).certificatePem), mesh.bundle, mesh.nowMs), {
      id: { uri: /^spiffe:\/\/(mesh\.local|other\.example)\/./ },
    });
    t.end();
  });
}

t.test('a root, and an intermediate, are never accepted as a peer', t => {
  t.equal(outcome(mesh.root.certificatePem), 'leaf_without_path');
  t.equal(outcome(mesh.intermediate.certificatePem), 'leaf_without_path');
  t.end();
});

t.test('no certificate, and a chain without end, are refused', t => {
  const { certificatePem } = createSvid(mesh.root, 'web');
  t.equal(outcome(''), 'no_certificate');
  t.equal(outcome(certificatePem + mesh.root.certificatePem.repeat(7)), 'spiffe://mesh.local/ns/default/sa/web');
  t.equal(outcome(certificatePem + mesh.root.certificatePem.repeat(8)), 'chain_too_long');
  t.end();
});

t.test('certificates that have nothing to do with the chain are no help and no harm', t => {
  const stranger = createSvid(mesh.otherRoot, 'stranger').certificatePem;
  t.equal(
    outcome(createSvid(mesh.intermediate, 'web').certificatePem.replace(/^/, '') + stranger),
    'spiffe://mesh.local/ns/default/sa/web',
  );
  t.equal(outcome(VIOLATIONS[0]!.make(mesh).certificatePem + stranger), 'untrusted');
  t.end();
});

t.test('validity is judged by the clock that was passed in, to the second', t => {
  const { certificatePem } = createSvid(mesh.root, 'web', 'default', mesh.nowMs);
  const [from, to] = [
    chainOf(certificatePem)[0]!.validFromDate.getTime(),
    chainOf(certificatePem)[0]!.validToDate.getTime(),
  ];
  t.equal(outcome(certificatePem, mesh.bundle, from - 1), 'not_yet_valid');
  t.equal(outcome(certificatePem, mesh.bundle, from), 'spiffe://mesh.local/ns/default/sa/web');
  t.equal(outcome(certificatePem, mesh.bundle, to), 'spiffe://mesh.local/ns/default/sa/web');
  t.equal(outcome(certificatePem, mesh.bundle, to + 1), 'expired');
  t.end();
});

t.test('an expired root vouches for nobody', t => {
  const old = accepted(
    createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: mesh.nowMs - 10_000, lifetimeMs: 5_000 }),
  );
  const live = createSvid(old, 'web', 'default', mesh.nowMs - 10_000);
  t.equal(outcome(live.certificatePem, accepted(parseTrustBundle(old.certificatePem, 'mesh.local'))), 'expired');
  t.end();
});

t.test('with two roots of one trust domain, leaves of either are accepted, and of a dropped one no more', t => {
  const next = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: mesh.nowMs }));
  const both = accepted(parseTrustBundle(mesh.root.certificatePem + next.certificatePem, 'mesh.local'));
  const alone = accepted(parseTrustBundle(next.certificatePem, 'mesh.local'));
  const [before, after] = [createSvid(mesh.root, 'web'), createSvid(next, 'web')];
  t.equal(outcome(before.certificatePem, both), before.id);
  t.equal(outcome(after.certificatePem, both), after.id);
  t.equal(outcome(before.certificatePem, alone), 'untrusted');
  t.end();
});

t.test('the id of a certificate can be read without trusting it', t => {
  const [leaf] = chainOf(VIOLATIONS[0]!.make(mesh).certificatePem);
  t.match(readSpiffeId(leaf!), { namespace: 'default', serviceAccount: 'mallory' });
  t.end();
});
