import { X509Certificate } from 'node:crypto';

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Whether these are certificates in PEM, at least one and nothing else. */
export const isPemCertificates = (pem: string): boolean =>
  pem.replace(BLOCK, '').trim() === '' &&
  pem.trim() !== '' &&
  [...pem.matchAll(BLOCK)].every(([block]) => isCertificate(block));

const isCertificate = (pem: string): boolean => {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
};
