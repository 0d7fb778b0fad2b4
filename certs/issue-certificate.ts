/** Certificates for workloads and for the control plane itself: X.509-SVIDs (SPIFFE X509-SVID §4 and §5). */
import type { KeyObject } from 'node:crypto';
import { type CertificateAuthority, DEFAULT_BACKDATE_MS } from './certificate-authority.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  OID,
  subjectAltName,
  subjectKeyIdentifier,
} from './extensions.ts';
import { formatPem } from './pem.ts';
import { keyIdentifier, signCertificate } from './sign-certificate.ts';
import type { SpiffeId } from './spiffe-id.ts';

export const DEFAULT_CERTIFICATE_LIFETIME_MS = 24 * 3_600_000;

export interface CertificateRequest {
  /** With a path: the caller has decided that the key's holder is this workload. */
  readonly id: SpiffeId;
  readonly publicKey: KeyObject;
  readonly nowMs: number;
  /** From now; default 24 h. Never beyond the authority's own end. */
  readonly lifetimeMs?: number;
  /** How long before now it begins, for clocks that are late; default 5 min. */
  readonly backdateMs?: number;
  /** For clients that check host names (the control plane's own endpoints); they mean nothing for identity. */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

export interface IssuedCertificate {
  /** The leaf, then the intermediates. */
  readonly chainPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Signs an X.509-SVID: no subject, so the SAN is critical; usable as client and as server. */
export const issueCertificate = (authority: CertificateAuthority, request: CertificateRequest): IssuedCertificate => {
  const notBeforeMs = request.nowMs - (request.backdateMs ?? DEFAULT_BACKDATE_MS);
  const notAfterMs = Math.min(
    request.nowMs + (request.lifetimeMs ?? DEFAULT_CERTIFICATE_LIFETIME_MS),
    authority.certificate.validToDate.getTime(),
  );
  const names = { uris: [request.id.uri], dnsNames: request.dnsNames ?? [], ipAddresses: request.ipAddresses ?? [] };
  const der = signCertificate(
    {
      subject: [],
      publicKey: request.publicKey,
      notBeforeMs,
      notAfterMs,
      extensions: [
        basicConstraints(false),
        keyUsage(['digitalSignature']),
        extendedKeyUsage([OID.serverAuth, OID.clientAuth]),
        subjectAltName(names, true),
        subjectKeyIdentifier(keyIdentifier(request.publicKey)),
        authorityKeyIdentifier(authority.keyId),
      ],
    },
    authority,
  );
  return { chainPem: formatPem(der, 'CERTIFICATE') + authority.intermediatesPem, notBeforeMs, notAfterMs };
};
