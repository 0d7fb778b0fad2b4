/** What each proxy of a chain shows and trusts: one CA, one certificate each for A and B, made with openssl. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Children } from './children.ts';

export interface ProxyCertificate {
  readonly certificate: string;
  readonly key: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly both: string;
}

/** Paths of PEM files. Both leaves have a SPIFFE id and, since nginx and HAProxy verify nothing else, a DNS name. */
export interface ChainCertificates {
  readonly ca: string;
  readonly a: ProxyCertificate;
  readonly b: ProxyCertificate;
}

export const TRUST_DOMAIN = 'mesh.local';
/** Service accounts of the two proxies. */
export const SERVICE_A = 'caller';
export const SERVICE_B = 'app';
/** DNS name in the certificate of B. */
export const NAME_B = `${SERVICE_B}.mesh`;

export const spiffeId = (service: string): string => `spiffe://${TRUST_DOMAIN}/ns/default/sa/${service}`;

const request = [
  'req',
  '-x509',
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-nodes',
  '-days',
  '2',
  '-subj',
  '/O=Outrider bench',
];

const LEAF_EXTENSIONS = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature',
  'extendedKeyUsage=serverAuth,clientAuth',
];
const CA_EXTENSIONS = [
  'basicConstraints=critical,CA:TRUE',
  'keyUsage=critical,keyCertSign,cRLSign',
  `subjectAltName=URI:spiffe://${TRUST_DOMAIN}`,
];

const addExtensions = (extensions: readonly string[]): string[] =>
  extensions.flatMap(extension => ['-addext', extension]);

/** Makes the CA and both leaves in `directory`. Follows the X.509-SVID rules, so that a sidecar accepts them too. */
export const makeCertificates = async (children: Children, directory: string): Promise<ChainCertificates> => {
  const path = (name: string): string => join(directory, name);
  const ca = path('ca.pem');
  await children.run('openssl', [...request, ...addExtensions(CA_EXTENSIONS), '-keyout', path('ca.key'), '-out', ca]);
  const leaf = async (service: string): Promise<ProxyCertificate> => {
    const files = { certificate: path(`${service}.pem`), key: path(`${service}.key`), both: path(`${service}.both`) };
    const names = `subjectAltName=URI:${spiffeId(service)},DNS:${service}.mesh`;
    const signing = ['-CA', ca, '-CAkey', path('ca.key'), '-keyout', files.key, '-out', files.certificate];
    await children.run('openssl', [...request, ...addExtensions([...LEAF_EXTENSIONS, names]), ...signing]);
    await writeFile(files.both, `${await readFile(files.certificate, 'utf8')}${await readFile(files.key, 'utf8')}`, {
      mode: 0o600,
    });
    return files;
  };
  return { ca, a: await leaf(SERVICE_A), b: await leaf(SERVICE_B) };
};
