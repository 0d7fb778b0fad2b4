/**
 * Is this certificate chain an X.509-SVID, and of whom? Source: SPIFFE X509-SVID §4 and §5.
 * It stands on its own but for name constraints and path lengths, which OpenSSL has checked in the TLS handshake before.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { type CertificateParts, readCertificateParts } from './certificate-parts.ts';
import { OID } from './extensions.ts';
import { type Refusal, refuse } from './refusal.ts';
import { parseSpiffeId, type SpiffeId, type SpiffeIdReason } from './spiffe-id.ts';
import type { TrustBundle } from './trust-bundle.ts';

export type SvidReason =
  | 'no_certificate'
  | 'chain_too_long'
  | 'malformed_certificate'
  | 'not_yet_valid'
  | 'expired'
  | 'uri_san_missing'
  | 'uri_san_multiple'
  | 'san_not_critical'
  | 'leaf_without_path'
  | 'leaf_is_ca'
  | 'key_usage_missing'
  | 'key_usage_not_critical'
  | 'key_usage_no_digital_signature'
  | 'key_usage_signs_certificates'
  | 'extended_key_usage'
  | 'weak_key'
  | 'unknown_trust_domain'
  | 'untrusted'
  | SpiffeIdReason;

/** Leaf, intermediates and root. */
export const MAX_CHAIN = 8;
const MIN_RSA_BITS = 2_048;

/** The rules for the leaf's id: exactly one URI, a SPIFFE id with a path. */
const readId = (parts: CertificateParts): SpiffeId | Refusal<SvidReason> => {
  const [uri, ...more] = parts.uris;
  if (uri === undefined) return refuse('uri_san_missing', 'The certificate carries no SPIFFE id.');
  if (more.length > 0)
    return refuse('uri_san_multiple', 'The certificate carries more than one URI; a SPIFFE id stands alone.');
  const id = parseSpiffeId(uri);
  if ('reason' in id) return id;
  if (id.path === '')
    return refuse('leaf_without_path', 'The certificate is for a trust domain, not for a workload in it.');
  return id;
};

/** The id in a certificate, for one's own: nothing else is checked. */
export const readSpiffeId = (leaf: X509Certificate): SpiffeId | Refusal<SvidReason> => {
  const parts = readCertificateParts(leaf);
  return parts === undefined ? refuse('malformed_certificate', 'The certificate is malformed.') : readId(parts);
};

/** What a leaf may be used for. */
const checkUsage = (leaf: X509Certificate, parts: CertificateParts): Refusal<SvidReason> | undefined => {
  if (leaf.ca) return refuse('leaf_is_ca', 'The certificate is one of an authority, not of a workload.');
  const usage = parts.keyUsage;
  if (usage === undefined) return refuse('key_usage_missing', 'The certificate has no key usage.');
  if (parts.extensions.get(OID.keyUsage)?.critical !== true)
    return refuse('key_usage_not_critical', 'The key usage of the certificate is not critical.');
  if (usage.has('keyCertSign') || usage.has('cRLSign'))
    return refuse(
      'key_usage_signs_certificates',
      'The key of the certificate may sign certificates or revocation lists.',
    );
  if (!usage.has('digitalSignature'))
    return refuse('key_usage_no_digital_signature', 'The key usage of the certificate lacks digitalSignature.');
  const purposes = parts.extendedKeyUsage ?? [];
  if (!purposes.includes(OID.serverAuth) || !purposes.includes(OID.clientAuth)) {
    return refuse('extended_key_usage', 'The certificate must be usable both by servers and by clients.');
  }
  if (parts.subjectIsEmpty && parts.extensions.get(OID.subjectAltName)?.critical !== true) {
    return refuse('san_not_critical', 'The certificate has no subject, and its subjectAltName is not critical.');
  }
  return undefined;
};

const checkValidity = (certificate: X509Certificate, nowMs: number, whose: string): Refusal<SvidReason> | undefined => {
  const [from, to] = [certificate.validFromDate, certificate.validToDate];
  const now = new Date(nowMs).toISOString();
  if (nowMs < from.getTime())
    return refuse(
      'not_yet_valid',
      `The ${whose} is valid from ${from.toISOString()}; this machine's clock says ${now}.`,
    );
  if (nowMs > to.getTime())
    return refuse('expired', `The ${whose} was valid until ${to.toISOString()}; this machine's clock says ${now}.`);
  return undefined;
};

/** undefined: of a kind that OpenSSL doesn't know. */
const publicKeyOf = (certificate: X509Certificate): KeyObject | undefined => {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
};

const isWeak = (certificate: X509Certificate): boolean => {
  const key = publicKeyOf(certificate);
  return key === undefined || (key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS) < MIN_RSA_BITS;
};

const isSignedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean => {
  const key = certificate.checkIssued(issuer) ? publicKeyOf(issuer) : undefined;
  return key !== undefined && certificate.verify(key);
};

/** May it sign the certificates of others? The id of one that may has no path, or it has none. */
const maySign = (certificate: X509Certificate): boolean => {
  const parts = readCertificateParts(certificate);
  const ids = parts?.uris.filter(uri => /^spiffe:/i.test(uri)).map(parseSpiffeId) ?? [];
  return (
    certificate.ca &&
    parts?.keyUsage?.has('keyCertSign') === true &&
    ids.every(id => !('reason' in id) && id.path === '') &&
    !isWeak(certificate)
  );
};

/** From the leaf upwards, without branches (rotation never cross-signs): undefined when a root of the list is reached. */
const checkPath = (
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  nowMs: number,
): Refusal<SvidReason> | undefined => {
  const left = new Set(chain.slice(1));
  let current = chain[0]!;
  for (;;) {
    const below = current;
    const root = roots.find(candidate => isSignedBy(below, candidate));
    if (root !== undefined) return checkValidity(root, nowMs, 'root');
    const issuer = [...left].find(candidate => isSignedBy(below, candidate));
    if (issuer === undefined)
      return refuse('untrusted', "The certificate does not lead to a root of its trust domain's bundle.");
    if (!maySign(issuer)) return refuse('untrusted', 'The certificate was signed by one that may not sign others.');
    const invalid = checkValidity(issuer, nowMs, 'intermediate certificate');
    if (invalid !== undefined) return invalid;
    left.delete(issuer);
    current = issuer;
  }
};

/** `chain`: the leaf first, then what came with it. Cheap rules come before signatures. */
export const verifySvid = (
  chain: readonly X509Certificate[],
  bundle: TrustBundle,
  nowMs: number,
): { readonly id: SpiffeId } | Refusal<SvidReason> => {
  const leaf = chain[0];
  if (leaf === undefined) return refuse('no_certificate', 'The peer showed no certificate.');
  if (chain.length > MAX_CHAIN) return refuse('chain_too_long', `A chain has at most ${MAX_CHAIN} certificates.`);
  const parts = readCertificateParts(leaf);
  if (parts === undefined) return refuse('malformed_certificate', 'The certificate is malformed.');
  const id = readId(parts);
  if ('reason' in id) return id;
  const misuse = checkUsage(leaf, parts) ?? checkValidity(leaf, nowMs, 'certificate');
  if (misuse !== undefined) return misuse;
  if (isWeak(leaf))
    return refuse(
      'weak_key',
      `The key of the certificate is RSA of less than ${MIN_RSA_BITS} bits, or of an unknown kind.`,
    );
  const roots = bundle.roots.get(id.trustDomain);
  if (roots === undefined)
    return refuse('unknown_trust_domain', `The trust domain ${id.trustDomain} is not in the trust bundle.`);
  return checkPath(chain, roots, nowMs) ?? { id };
};
