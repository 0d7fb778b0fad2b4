import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import t from 'tap';
import {
  createCertificateAuthority,
  createIntermediate,
  createKeyPair,
  formatPrivateKey,
  loadCertificateAuthority,
} from '../../../certs/certificate-authority.ts';
import { readCertificateParts } from '../../../certs/certificate-parts.ts';
import { basicConstraints, type Extension, keyUsage, subjectKeyIdentifier } from '../../../certs/extensions.ts';
import { formatPem } from '../../../certs/pem.ts';
import { encodeName, keyIdentifier, NAME, type Name, signCertificate } from '../../../certs/sign-certificate.ts';
import { accepted, createSvid } from '../../support/peer-certificates.ts';

const nowMs = Date.UTC(2026, 10, 22, 12);
const root = accepted(createCertificateAuthority({ trustDomain: 'Mesh.Local', nowMs }));

t.test('a new root signs itself, is a CA for its trust domain, and begins five minutes ago', t => {
  const { certificate } = root;
  t.ok(certificate.ca && certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey));
  t.equal(certificate.validFromDate.getTime(), nowMs - 300_000);
  t.equal(certificate.validToDate.getTime(), nowMs + 10 * 365 * 86_400_000);
  t.equal(root.trustDomain, 'mesh.local');
  const parts = readCertificateParts(certificate)!;
  t.same(parts.uris, ['spiffe://mesh.local']);
  t.same([...parts.keyUsage!], ['keyCertSign', 'cRLSign']);
  t.ok(parts.extensions.get('2.5.29.15')?.critical && parts.extensions.get('2.5.29.19')?.critical);
  t.equal(root.intermediatesPem, '');
  t.end();
});

t.test('two roots of one trust domain differ in name, key and serial number of 128 random bits', t => {
  const other = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs })).certificate;
  t.not(other.subject, root.certificate.subject);
  t.not(other.serialNumber, root.certificate.serialNumber);
  t.match(other.serialNumber, /^01[0-9A-F]{32}$/);
  t.end();
});

t.test('a trust domain that is none is refused', t => {
  t.match(createCertificateAuthority({ trustDomain: 'mesh/local', nowMs }), { reason: 'spiffe_id_trust_domain' });
  t.end();
});

t.test('an authority comes back from its files, and signs what the first one would', t => {
  const again = accepted(loadCertificateAuthority(root));
  t.equal(again.certificatePem, root.certificatePem);
  t.equal(again.keyPem, root.keyPem);
  const leaf = new X509Certificate(createSvid(again, 'web', 'default', nowMs).certificatePem);
  t.ok(leaf.checkIssued(root.certificate) && leaf.verify(root.certificate.publicKey));
  t.end();
});

t.test(
  'an intermediate is sent along with its leaves, up to but without the root, and ends with its parent at the latest',
  t => {
    const first = accepted(createIntermediate(root, { nowMs, lifetimeMs: 100 * 365 * 86_400_000 }));
    const second = accepted(createIntermediate(first, { nowMs, lifetimeMs: 86_400_000 }));
    t.equal(first.certificate.validToDate.getTime(), root.certificate.validToDate.getTime());
    t.equal(second.certificate.validToDate.getTime(), nowMs + 86_400_000);
    t.equal(second.intermediatesPem, second.certificatePem);
    t.match(second.intermediatesPem, first.certificatePem);
    t.notMatch(second.intermediatesPem, root.certificatePem);
    const withRoot = accepted(
      loadCertificateAuthority({ ...second, certificatePem: second.certificatePem + root.certificatePem }),
    );
    t.equal(withRoot.intermediatesPem, second.intermediatesPem, 'a root that the file holds is not sent');
    t.end();
  },
);

t.test("what can't sign for the mesh is refused with the reason", t => {
  const { privateKey, publicKey } = createKeyPair();
  const subject: Name = [[NAME.commonName, 'mine']];
  const made = (
    extensions: Extension[],
    keys: { publicKey: typeof publicKey; privateKey: typeof privateKey } = { publicKey, privateKey },
  ) => {
    const der = signCertificate(
      { subject, publicKey: keys.publicKey, notBeforeMs: nowMs, notAfterMs: nowMs + 1_000, extensions },
      { name: encodeName(subject), privateKey },
    );
    return {
      trustDomain: 'mesh.local',
      certificatePem: formatPem(der, 'CERTIFICATE'),
      keyPem: formatPrivateKey(keys.privateKey),
    };
  };
  const keyId = subjectKeyIdentifier(keyIdentifier(publicKey));
  const good = [basicConstraints(true), keyUsage(['keyCertSign']), keyId];
  t.match(loadCertificateAuthority(made(good)), { trustDomain: 'mesh.local' });
  t.match(loadCertificateAuthority(made([basicConstraints(false), keyUsage(['keyCertSign']), keyId])), {
    reason: 'not_ca',
  });
  t.match(
    loadCertificateAuthority(made([basicConstraints(true), keyUsage(['digitalSignature']), keyId])),
    { reason: 'not_ca' },
    'OpenSSL itself wants keyCertSign of a CA',
  );
  t.match(loadCertificateAuthority(made([basicConstraints(true), keyId])), { reason: 'key_usage' });
  t.match(loadCertificateAuthority(made([basicConstraints(true), keyUsage(['keyCertSign'])])), { reason: 'no_key_id' });
  t.match(loadCertificateAuthority(made(good, generateKeyPairSync('ec', { namedCurve: 'P-384' }))), {
    reason: 'key_not_p256',
  });
  t.match(loadCertificateAuthority({ ...root, keyPem: formatPrivateKey(privateKey) }), { reason: 'key_mismatch' });
  t.match(loadCertificateAuthority({ ...root, keyPem: 'no key' }), { reason: 'malformed' });
  t.match(loadCertificateAuthority({ ...root, certificatePem: 'no certificate' }), { reason: 'malformed' });
  t.match(loadCertificateAuthority({ ...root, certificatePem: formatPem(Buffer.of(1, 2, 3), 'CERTIFICATE') }), {
    reason: 'malformed',
  });
  const stranger = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs }));
  t.match(loadCertificateAuthority({ ...root, certificatePem: root.certificatePem + stranger.certificatePem }), {
    reason: 'chain_broken',
  });
  t.end();
});
