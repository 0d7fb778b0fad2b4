/** A workload's own identity: checked as a whole before it is used, immutable afterwards. */
import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { readPem } from '../../certs/pem.ts';
import { type Refusal, refuse } from '../../certs/refusal.ts';
import type { SpiffeId } from '../../certs/spiffe-id.ts';
import { type BundleReason, parseTrustBundle, type TrustBundle } from '../../certs/trust-bundle.ts';
import { readSpiffeId, type SvidReason, verifySvid } from '../../certs/verify-svid.ts';

/** What the control plane's answer and the sidecar's own key make together. Plain text, so that it can go to worker threads and files. */
export interface IdentityMaterial {
  /** The leaf, then the intermediates. */
  readonly certificatePem: string;
  /** PKCS #8. */
  readonly keyPem: string;
  /** All roots. */
  readonly trustBundlePem: string;
}

export interface Identity extends IdentityMaterial {
  readonly id: SpiffeId;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly bundle: TrustBundle;
  /** For `tls.Server.setSecureContext`. */
  readonly tlsOptions: SecureContextOptions;
  /** The same for outgoing connections, built once. */
  readonly secureContext: SecureContext;
}

export type IdentityReason = 'malformed_key' | 'key_mismatch' | BundleReason | SvidReason;

/** AES-128 first: the cheaper of the two that every peer has, and as safe (the order of Go and BoringSSL). */
const CIPHER_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

const readChain = (pem: string): X509Certificate[] | undefined => {
  try {
    return readPem(pem, 'CERTIFICATE').map(der => new X509Certificate(der));
  } catch {
    return undefined;
  }
};

const readKey = (pem: string): KeyObject | undefined => {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
};

/** The material as an identity, or why it can't be one: our own certificate must pass what we ask of every peer's. */
export const createIdentity = (material: IdentityMaterial, nowMs: number): Identity | Refusal<IdentityReason> => {
  const chain = readChain(material.certificatePem);
  const leaf = chain?.[0];
  if (chain === undefined || leaf === undefined)
    return refuse('malformed_certificate', 'The certificate is not readable PEM.');
  const key = readKey(material.keyPem);
  if (key === undefined) return refuse('malformed_key', 'The private key is not readable PEM.');
  if (!leaf.checkPrivateKey(key)) return refuse('key_mismatch', 'The private key does not belong to the certificate.');
  const named = readSpiffeId(leaf);
  if ('reason' in named) return named;
  const bundle = parseTrustBundle(material.trustBundlePem, named.trustDomain);
  if ('reason' in bundle) return bundle;
  const verified = verifySvid(chain, bundle, nowMs);
  if ('reason' in verified) return verified;
  const tlsOptions: SecureContextOptions = {
    cert: material.certificatePem,
    key: material.keyPem,
    ca: bundle.pem,
    minVersion: 'TLSv1.3',
    ciphers: CIPHER_SUITES,
    // Each connection proves who is there anew; nothing outlives a certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
  return {
    certificatePem: material.certificatePem,
    keyPem: material.keyPem,
    trustBundlePem: material.trustBundlePem,
    id: verified.id,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
    bundle,
    tlsOptions,
    secureContext: createSecureContext(tlsOptions),
  };
};
