import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import t from 'tap';
import * as asn1 from '../../../certs/asn1.ts';
import { createKeyPair } from '../../../certs/certificate-authority.ts';
import { checkCsr, createCsr } from '../../../certs/csr.ts';
import { basicConstraints, encodeExtension, type GeneralNames, subjectAltName } from '../../../certs/extensions.ts';
import { formatPem, readPem } from '../../../certs/pem.ts';
import { encodeName, encodePublicKey, signStructure } from '../../../certs/sign-certificate.ts';
import { createWorkloadId } from '../../../certs/spiffe-id.ts';
import { accepted } from '../../support/peer-certificates.ts';

const id = accepted(createWorkloadId('mesh.local', 'shop', 'web'));

/** A request by hand. `signer`: not the named key's other half. */
const request = (
  names: GeneralNames | undefined,
  keys: { publicKey: KeyObject; privateKey: KeyObject } = createKeyPair(),
  signer = keys.privateKey,
): string => {
  const extensions = [basicConstraints(true), ...(names === undefined ? [] : [subjectAltName(names, true)])].map(
    encodeExtension,
  );
  const attribute = asn1.sequence(asn1.oid('1.2.840.113549.1.9.14'), asn1.set(asn1.sequence(...extensions)));
  const info = asn1.sequence(
    asn1.integer(Buffer.of(0)),
    encodeName([]),
    encodePublicKey(keys.publicKey),
    asn1.explicit(0, attribute),
  );
  return formatPem(signStructure(info, signer), 'CERTIFICATE REQUEST');
};

t.test('a request that a sidecar made is accepted, and its key is an ECDSA P-256 key', t => {
  const { csrPem, keyPem } = createCsr(id);
  const checked = accepted(checkCsr(csrPem));
  t.same(checked.id, id);
  const key = createPrivateKey(keyPem);
  t.equal(key.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  t.match(keyPem, /^-----BEGIN PRIVATE KEY-----/);
  t.notMatch(csrPem, /PRIVATE/);
  t.end();
});

t.test('what a request asks for beside its id has no effect', t => {
  t.same(accepted(checkCsr(request({ uris: [id.uri] }))).id, id);
  t.end();
});

t.test('other keys than ECDSA P-256 are refused by name', t => {
  for (const [keys, kind] of [
    [generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'secp384r1'],
    [generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), 'secp256k1'],
    [generateKeyPairSync('rsa', { modulusLength: 1_024 }), 'rsa'],
  ] as const) {
    t.match(checkCsr(request({ uris: [id.uri] }, keys)), { reason: 'csr_key_not_p256', sentence: new RegExp(kind) });
  }
  t.end();
});

t.test("a request for somebody else's key is refused", t => {
  t.match(checkCsr(request({ uris: [id.uri] }, createKeyPair(), createKeyPair().privateKey)), {
    reason: 'csr_signature',
  });
  t.end();
});

t.test('a request whose bytes were changed is refused', t => {
  const [der] = readPem(createCsr(id).csrPem, 'CERTIFICATE REQUEST');
  const at = der!.indexOf('/sa/web') + 4;
  der!.write('adm', at, 'latin1');
  t.match(checkCsr(formatPem(der!, 'CERTIFICATE REQUEST')), { reason: 'csr_signature' });
  t.end();
});

t.test('names other than one SPIFFE id of a workload are refused', t => {
  t.match(checkCsr(request(undefined)), { reason: 'csr_uri_san_missing' });
  t.match(checkCsr(request({ uris: [], dnsNames: ['web'] })), { reason: 'csr_uri_san_missing' });
  t.match(checkCsr(request({ uris: [id.uri, id.uri] })), { reason: 'csr_uri_san_multiple' });
  t.match(checkCsr(request({ uris: [id.uri], dnsNames: ['web'] })), { reason: 'csr_other_san' });
  t.match(checkCsr(request({ uris: [id.uri], ipAddresses: ['10.0.0.1'] })), { reason: 'csr_other_san' });
  t.match(checkCsr(request({ uris: ['https://mesh.local/'] })), { reason: 'spiffe_id_scheme' });
  t.match(checkCsr(request({ uris: ['spiffe://mesh.local'] })), { reason: 'spiffe_id_path' });
  t.end();
});

t.test('what is no request, or a huge one, is refused', t => {
  const { csrPem } = createCsr(id);
  const noKey = asn1.sequence(asn1.integer(Buffer.of(0)), encodeName([]), asn1.sequence());
  for (const text of [
    '',
    'hello',
    csrPem + csrPem,
    formatPem(Buffer.of(0x30, 0), 'CERTIFICATE REQUEST'),
    formatPem(Buffer.of(1, 2), 'CERTIFICATE REQUEST'),
    csrPem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'),
  ]) {
    t.match(checkCsr(text), { reason: 'csr_malformed' });
  }
  t.match(checkCsr(formatPem(signStructure(noKey, createKeyPair().privateKey), 'CERTIFICATE REQUEST')), {
    reason: 'csr_malformed',
  });
  t.match(checkCsr(csrPem + ' '.repeat(8_192)), { reason: 'csr_too_large' });
  t.end();
});
