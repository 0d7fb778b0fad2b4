/** The mesh's CA in the data directory: made at the first start, loaded afterwards. */
import {
  type CertificateAuthority,
  createCertificateAuthority,
  loadCertificateAuthority,
} from '../../certs/certificate-authority.ts';
import type { Refusal } from '../../certs/refusal.ts';
import { parseTrustBundle, type TrustBundle } from '../../certs/trust-bundle.ts';
import type { Clock } from '../../common/clock.ts';
import { readDataFile, writeDataFile } from './data-file.ts';

const KEY_FILE = 'ca-key.pem';
const CERTIFICATE_FILE = 'ca.pem';
/** For clients: what the certificates of the control plane and of every sidecar chain to. More roots may stand in it. */
export const TRUST_BUNDLE_FILE = 'trust-bundle.pem';

export interface MeshAuthority {
  readonly authority: CertificateAuthority;
  readonly bundle: TrustBundle;
}

/**
 * `ca.pem` and `ca-key.pem` may be the user's own: an intermediate and what is above it, with its root in `trust-bundle.pem`.
 * @throws an Error with a sentence when the files do not fit together, or belong to another trust domain.
 */
export const openMeshAuthority = (dataDir: string, trustDomain: string, clock: Clock): MeshAuthority => {
  const keyPem = readDataFile(dataDir, KEY_FILE);
  const certificatePem = readDataFile(dataDir, CERTIFICATE_FILE);
  const authority = orThrow(
    keyPem !== undefined && certificatePem !== undefined
      ? loadCertificateAuthority({ trustDomain, certificatePem, keyPem })
      : createCertificateAuthority({ trustDomain, nowMs: clock.wallMs() }),
    `The CA in ${dataDir} cannot be used`,
  );
  if (keyPem === undefined || certificatePem === undefined) {
    // The key last: a crash in between leaves no key without its certificate.
    writeDataFile(dataDir, CERTIFICATE_FILE, authority.certificatePem);
    writeDataFile(dataDir, KEY_FILE, authority.keyPem);
  }
  let bundlePem = readDataFile(dataDir, TRUST_BUNDLE_FILE);
  if (bundlePem === undefined) {
    bundlePem = authority.certificatePem;
    writeDataFile(dataDir, TRUST_BUNDLE_FILE, bundlePem);
  }
  const bundle = orThrow(parseTrustBundle(bundlePem, trustDomain), `${TRUST_BUNDLE_FILE} in ${dataDir} cannot be used`);
  if (!bundle.roots.has(authority.trustDomain))
    throw new Error(
      `The CA in ${dataDir} is of another trust domain than ${authority.trustDomain}; start with its --trust-domain, or with another --data-dir.`,
    );
  return { authority, bundle };
};

const orThrow = <T extends object>(value: T | Refusal, what: string): T => {
  if ('sentence' in value) throw new Error(`${what}: ${(value as Refusal).sentence}`);
  return value as T;
};
