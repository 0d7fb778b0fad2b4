/** What each proxy of a chain shows and trusts: one CA, and a certificate each for A and B, as files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CertificateAuthority,
  createCertificateAuthority,
  createKeyPair,
  formatPrivateKey,
} from '../../certs/certificate-authority.ts';
import { issueCertificate } from '../../certs/issue-certificate.ts';
import type { Refusal } from '../../certs/refusal.ts';
import { parseSpiffeId } from '../../certs/spiffe-id.ts';

/** Paths of PEM files. */
export interface ProxyCertificate {
  readonly certificate: string;
  readonly key: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly both: string;
}

/** Both leaves have a SPIFFE id and, since nginx and HAProxy verify nothing else, a DNS name. */
export interface ChainCertificates {
  readonly ca: string;
  readonly a: ProxyCertificate;
  readonly b: ProxyCertificate;
}

export const TRUST_DOMAIN = 'mesh.local';
/** Services of the two proxies, and their service accounts. */
export const SERVICE_A = 'caller';
export const SERVICE_B = 'app';
/** DNS name in the certificate of B. */
export const NAME_B = `${SERVICE_B}.mesh`;

export const spiffeId = (service: string): string => `spiffe://${TRUST_DOMAIN}/ns/default/sa/${service}`;

const accepted = <Value extends object>(value: Value | Refusal<string>): Value => {
  if ('reason' in value) throw new Error(value.sentence);
  return value;
};

const writeLeaf = async (
  authority: CertificateAuthority,
  directory: string,
  service: string,
): Promise<ProxyCertificate> => {
  const id = accepted(parseSpiffeId(spiffeId(service)));
  const { privateKey, publicKey } = createKeyPair();
  const keyPem = formatPrivateKey(privateKey);
  const { chainPem } = issueCertificate(authority, { id, publicKey, nowMs: Date.now(), dnsNames: [`${service}.mesh`] });
  const path = (ending: string): string => join(directory, `${service}.${ending}`);
  const files = { certificate: path('pem'), key: path('key'), both: path('both') };
  await writeFile(files.certificate, chainPem);
  await writeFile(files.key, keyPem, { mode: 0o600 });
  await writeFile(files.both, chainPem + keyPem, { mode: 0o600 });
  return files;
};

/** Makes the CA and both leaves in `directory`. */
export const writeCertificates = async (directory: string): Promise<ChainCertificates> => {
  const authority = accepted(createCertificateAuthority({ trustDomain: TRUST_DOMAIN, nowMs: Date.now() }));
  const ca = join(directory, 'ca.pem');
  await writeFile(ca, authority.certificatePem);
  return {
    ca,
    a: await writeLeaf(authority, directory, SERVICE_A),
    b: await writeLeaf(authority, directory, SERVICE_B),
  };
};
