/** The mesh's certificate authority: its key, its certificate, and how to make or load them. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { readCertificateParts } from './certificate-parts.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  type Extension,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from './extensions.ts';
import { formatPem, readPem } from './pem.ts';
import { type Refusal, refuse } from './refusal.ts';
import { encodeName, keyIdentifier, NAME, type Name, type Signer, signCertificate } from './sign-certificate.ts';
import { parseTrustDomain } from './spiffe-id.ts';

/** How far in the past certificates begin, for peers whose clocks are late. */
export const DEFAULT_BACKDATE_MS = 5 * 60_000;

/** Ten years: rotation, and not its end, retires a root. */
export const DEFAULT_ROOT_LIFETIME_MS = 10 * 365 * 86_400_000;

/** Signs certificates. Immutable; holds a private key, so it is never printed or sent. */
export interface CertificateAuthority extends Signer {
  readonly trustDomain: string;
  readonly certificate: X509Certificate;
  /** The subject key identifier of its certificate. */
  readonly keyId: Buffer;
  /** What follows a leaf on the wire: this certificate and those above it, without the root. Empty when this is the root. */
  readonly intermediatesPem: string;
  readonly certificatePem: string;
  /** PKCS #8. To be kept in a file of mode 0600. */
  readonly keyPem: string;
}

export type AuthorityReason =
  | 'malformed'
  | 'key_mismatch'
  | 'key_not_p256'
  | 'not_ca'
  | 'key_usage'
  | 'no_key_id'
  | 'chain_broken'
  | 'spiffe_id_trust_domain';

export interface AuthorityOptions {
  readonly trustDomain: string;
  readonly nowMs: number;
  /** Default: ten years. */
  readonly lifetimeMs?: number;
  readonly backdateMs?: number;
}

/** An ECDSA P-256 key pair. */
export const createKeyPair = (): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** PKCS #8. */
export const formatPrivateKey = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** A name of its own for each authority, so that two roots of one trust domain are never taken for each other. */
const authorityName = (trustDomain: string): Name => [
  [NAME.organization, trustDomain],
  [NAME.commonName, 'Outrider mesh CA'],
  [NAME.serialNumber, randomBytes(8).toString('hex')],
];

const authorityExtensions = (trustDomain: string, keyId: Buffer): Extension[] => [
  basicConstraints(true),
  keyUsage(['keyCertSign', 'cRLSign']),
  subjectKeyIdentifier(keyId),
  // The id of a signing certificate has no path (X509-SVID §3.2).
  subjectAltName({ uris: [`spiffe://${trustDomain}`] }, false),
];

/** A new self-signed root. */
export const createCertificateAuthority = (
  options: AuthorityOptions,
): CertificateAuthority | Refusal<AuthorityReason> => {
  const domain = parseTrustDomain(options.trustDomain);
  if ('reason' in domain) return domain;
  const { privateKey, publicKey } = createKeyPair();
  const subject = authorityName(domain.trustDomain);
  const der = signCertificate(
    {
      subject,
      publicKey,
      notBeforeMs: options.nowMs - (options.backdateMs ?? DEFAULT_BACKDATE_MS),
      notAfterMs: options.nowMs + (options.lifetimeMs ?? DEFAULT_ROOT_LIFETIME_MS),
      extensions: authorityExtensions(domain.trustDomain, keyIdentifier(publicKey)),
    },
    { name: encodeName(subject), privateKey },
  );
  return loadCertificateAuthority({
    trustDomain: domain.trustDomain,
    certificatePem: formatPem(der, 'CERTIFICATE'),
    keyPem: formatPrivateKey(privateKey),
  });
};

/** A new authority below `parent`, which lives no longer than its parent. */
export const createIntermediate = (
  parent: CertificateAuthority,
  options: Omit<AuthorityOptions, 'trustDomain'>,
): CertificateAuthority | Refusal<AuthorityReason> => {
  const { privateKey, publicKey } = createKeyPair();
  const der = signCertificate(
    {
      subject: authorityName(parent.trustDomain),
      publicKey,
      notBeforeMs: options.nowMs - (options.backdateMs ?? DEFAULT_BACKDATE_MS),
      notAfterMs: Math.min(
        options.nowMs + (options.lifetimeMs ?? DEFAULT_ROOT_LIFETIME_MS),
        parent.certificate.validToDate.getTime(),
      ),
      extensions: [
        ...authorityExtensions(parent.trustDomain, keyIdentifier(publicKey)),
        authorityKeyIdentifier(parent.keyId),
      ],
    },
    parent,
  );
  const certificatePem = formatPem(der, 'CERTIFICATE') + parent.intermediatesPem;
  return loadCertificateAuthority({
    trustDomain: parent.trustDomain,
    certificatePem,
    keyPem: formatPrivateKey(privateKey),
  });
};

const readKey = (keyPem: string): KeyObject | undefined => {
  try {
    return createPrivateKey(keyPem);
  } catch {
    return undefined;
  }
};

const readCertificates = (pem: string): X509Certificate[] | undefined => {
  try {
    return readPem(pem, 'CERTIFICATE').map(der => new X509Certificate(der));
  } catch {
    return undefined;
  }
};

/** An authority from its files: one of ours, or one that the user brings. `certificatePem`: the signing certificate, then those above it. */
export const loadCertificateAuthority = (files: {
  readonly trustDomain: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}): CertificateAuthority | Refusal<AuthorityReason> => {
  const chain = readCertificates(files.certificatePem);
  const privateKey = readKey(files.keyPem);
  const certificate = chain?.[0];
  const parts = certificate && readCertificateParts(certificate);
  if (chain === undefined || certificate === undefined || parts === undefined)
    return refuse('malformed', 'The CA certificate is not a readable PEM certificate.');
  if (privateKey === undefined) return refuse('malformed', 'The CA key is not a readable PEM private key.');
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    return refuse('key_not_p256', 'The CA key is not an ECDSA P-256 key.');
  if (!certificate.checkPrivateKey(privateKey))
    return refuse('key_mismatch', 'The CA key does not belong to the CA certificate.');
  if (!certificate.ca) return refuse('not_ca', 'The CA certificate has no basic constraint that makes it a CA.');
  if (parts.keyUsage?.has('keyCertSign') !== true)
    return refuse('key_usage', 'The CA certificate lacks the key usage keyCertSign.');
  if (parts.keyId === undefined) return refuse('no_key_id', 'The CA certificate has no subject key identifier.');
  const isBroken = chain.some((below, i) => {
    const above = chain[i + 1];
    return above !== undefined && !(below.checkIssued(above) && below.verify(above.publicKey));
  });
  if (isBroken)
    return refuse('chain_broken', 'Each certificate of the CA chain must be signed by the one that follows it.');
  const intermediates = chain.filter(link => !link.checkIssued(link));
  return {
    trustDomain: files.trustDomain,
    certificate,
    certificatePem: chain.map(link => formatPem(link.raw, 'CERTIFICATE')).join(''),
    keyPem: formatPrivateKey(privateKey),
    intermediatesPem: intermediates.map(link => formatPem(link.raw, 'CERTIFICATE')).join(''),
    keyId: parts.keyId,
    name: parts.subject,
    privateKey,
  };
};
