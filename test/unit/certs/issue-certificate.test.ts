import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { createCertificateAuthority, createIntermediate, createKeyPair } from '../../../certs/certificate-authority.ts';
import { readCertificateParts } from '../../../certs/certificate-parts.ts';
import { issueCertificate } from '../../../certs/issue-certificate.ts';
import { readPem } from '../../../certs/pem.ts';
import { keyIdentifier } from '../../../certs/sign-certificate.ts';
import { createWorkloadId } from '../../../certs/spiffe-id.ts';
import { accepted } from '../../support/peer-certificates.ts';

const nowMs = Date.UTC(2026, 10, 22, 12);
const root = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs }));
const id = accepted(createWorkloadId('mesh.local', 'shop', 'web'));
const { publicKey } = createKeyPair();
const leafOf = (pem: string): X509Certificate => new X509Certificate(readPem(pem, 'CERTIFICATE')[0]!);

t.test('a certificate says what an X.509-SVID must say', t => {
  const leaf = leafOf(issueCertificate(root, { id, publicKey, nowMs }).chainPem);
  const parts = readCertificateParts(leaf)!;
  t.ok(parts.subjectIsEmpty);
  t.same(parts.uris, [id.uri]);
  t.ok(parts.extensions.get('2.5.29.17')?.critical, 'the SAN is critical where the subject is empty');
  t.same([...parts.keyUsage!], ['digitalSignature']);
  t.ok(parts.extensions.get('2.5.29.15')?.critical);
  t.same(parts.extendedKeyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  t.equal(leaf.ca, false);
  t.same(parts.keyId, keyIdentifier(publicKey));
  t.match(parts.extensions.get('2.5.29.35')!.value.toString('hex'), root.keyId.toString('hex'));
  t.ok(leaf.checkIssued(root.certificate) && leaf.verify(root.certificate.publicKey));
  t.match(leaf.serialNumber, /^01[0-9A-F]{32}$/);
  t.end();
});

t.test('it lives 24 h and begins five minutes ago, or as was asked for', t => {
  const usual = issueCertificate(root, { id, publicKey, nowMs });
  t.match(usual, { notBeforeMs: nowMs - 300_000, notAfterMs: nowMs + 86_400_000 });
  t.equal(leafOf(usual.chainPem).validFromDate.getTime(), usual.notBeforeMs);
  t.equal(leafOf(usual.chainPem).validToDate.getTime(), usual.notAfterMs);
  t.match(issueCertificate(root, { id, publicKey, nowMs, lifetimeMs: 60_000, backdateMs: 1_000 }), {
    notBeforeMs: nowMs - 1_000,
    notAfterMs: nowMs + 60_000,
  });
  t.end();
});

t.test('it never outlives its authority', t => {
  const brief = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs, lifetimeMs: 3_600_000 }));
  t.equal(issueCertificate(brief, { id, publicKey, nowMs }).notAfterMs, nowMs + 3_600_000);
  t.end();
});

t.test('an endpoint of the control plane has host names beside its id', t => {
  const { chainPem } = issueCertificate(root, {
    id,
    publicKey,
    nowMs,
    dnsNames: ['outrider.example', 'localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
  });
  const leaf = leafOf(chainPem);
  t.equal(leaf.checkHost('outrider.example'), 'outrider.example');
  t.equal(leaf.checkIP('127.0.0.1'), '127.0.0.1');
  t.equal(leaf.checkIP('::1'), '::1');
  t.equal(leaf.checkHost('elsewhere.example'), undefined);
  t.same(readCertificateParts(leaf)!.uris, [id.uri]);
  t.end();
});

t.test('below an intermediate the chain holds both', t => {
  const intermediate = accepted(createIntermediate(root, { nowMs }));
  t.equal(readPem(issueCertificate(intermediate, { id, publicKey, nowMs }).chainPem, 'CERTIFICATE').length, 2);
  t.end();
});
