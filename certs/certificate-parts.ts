/** What `node:crypto` doesn't tell of a certificate: its extensions with their criticality, its names as bytes. */
import type { X509Certificate } from 'node:crypto';
import * as asn1 from './asn1.ts';
import {
  type Extension,
  type KeyUsage,
  OID,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectAltName,
} from './extensions.ts';

export interface CertificateParts {
  readonly subject: asn1.Asn1;
  readonly subjectIsEmpty: boolean;
  readonly extensions: ReadonlyMap<string, Extension>;
  /** Of the subjectAltName; empty without one. */
  readonly uris: readonly string[];
  /** undefined: there is no such extension. */
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Of the subjectKeyIdentifier; undefined without one. */
  readonly keyId: Buffer | undefined;
}

const EXTENSIONS_TAG = 3;

/** The parts of a v3 certificate, or undefined where one that we need is malformed. */
export const readCertificateParts = (certificate: X509Certificate): CertificateParts | undefined => {
  const toBeSigned = asn1.children(asn1.children(asn1.fromDer(certificate.raw))[0]);
  // version, serialNumber, signature, issuer, validity, subject, …
  const subject = toBeSigned[5];
  if (subject === undefined || !asn1.isSequence(subject)) return undefined;
  const tagged = toBeSigned.find(item => asn1.contextTag(item) === EXTENSIONS_TAG);
  const extensions = readExtensions(asn1.children(tagged)[0]);
  if (extensions === undefined) return undefined;
  const bytesOf = (id: string): Buffer | undefined => extensions.get(id)?.value;
  const [san, usage, purposes, keyId] = [
    OID.subjectAltName,
    OID.keyUsage,
    OID.extendedKeyUsage,
    OID.subjectKeyIdentifier,
  ].map(bytesOf);
  const names = san === undefined ? { uris: [] } : readSubjectAltName(san);
  const keyUsage = usage && readKeyUsage(usage);
  const extendedKeyUsage = purposes && readExtendedKeyUsage(purposes);
  if (names === undefined || (usage && keyUsage === undefined) || (purposes && extendedKeyUsage === undefined))
    return undefined;
  return {
    subject,
    subjectIsEmpty: asn1.children(subject).length === 0,
    extensions,
    uris: names.uris,
    keyUsage,
    extendedKeyUsage,
    keyId: keyId && asn1.content(asn1.fromDer(keyId)),
  };
};
