/** A mesh for tests, made in memory: its authorities, and good certificates of theirs. */
import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CertificateAuthority,
  createCertificateAuthority,
  createIntermediate,
  createKeyPair,
  formatPrivateKey,
} from '../../certs/certificate-authority.ts';
import { issueCertificate } from '../../certs/issue-certificate.ts';
import type { Refusal } from '../../certs/refusal.ts';
import { createWorkloadId } from '../../certs/spiffe-id.ts';
import { parseTrustBundle, type TrustBundle } from '../../certs/trust-bundle.ts';
import type { IdentityMaterial } from '../../sidecar/identity/identity.ts';

/** The result, where a refusal would be the test's own mistake. */
export const accepted = <T extends object>(result: T | Refusal): Exclude<T, Refusal> => {
  assert(!('reason' in result), `refused: ${JSON.stringify(result)}`);
  return result as Exclude<T, Refusal>;
};

/** A certificate chain with its key. */
export interface KeyedCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** The authorities of one test, and what its sidecars trust. */
export interface TestMesh {
  readonly nowMs: number;
  /** Of `mesh.local`. */
  readonly root: CertificateAuthority;
  readonly intermediate: CertificateAuthority;
  /** Of `other.example`, which is trusted too. */
  readonly otherRoot: CertificateAuthority;
  readonly bundle: TrustBundle;
}

export const createTestMesh = (nowMs = Date.now()): TestMesh => {
  const root = accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs }));
  const otherRoot = accepted(createCertificateAuthority({ trustDomain: 'other.example', nowMs }));
  return {
    nowMs,
    root,
    otherRoot,
    intermediate: accepted(createIntermediate(root, { nowMs })),
    bundle: accepted(parseTrustBundle(root.certificatePem + otherRoot.certificatePem, 'mesh.local')),
  };
};

/** A good certificate for `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`, 24 h. */
export const createSvid = (
  authority: CertificateAuthority,
  serviceAccount: string,
  namespace = 'default',
  nowMs = Date.now(),
): KeyedCertificate & { readonly id: string } => {
  const id = accepted(createWorkloadId(authority.trustDomain, namespace, serviceAccount));
  const { privateKey, publicKey } = createKeyPair();
  return {
    id: id.uri,
    certificatePem: issueCertificate(authority, { id, publicKey, nowMs }).chainPem,
    keyPem: formatPrivateKey(privateKey),
  };
};

/** As `CertificateStore.replace` takes it. */
export const identityMaterial = (svid: KeyedCertificate, bundle: TrustBundle): IdentityMaterial => ({
  certificatePem: svid.certificatePem,
  keyPem: svid.keyPem,
  trustBundlePem: bundle.pem,
});

/** The state folder of a sidecar that was running before. */
export const writeStateDir = (dir: string, svid: KeyedCertificate, bundle: TrustBundle): void => {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const files = { 'certificate.pem': svid.certificatePem, 'key.pem': svid.keyPem, 'trust-bundle.pem': bundle.pem };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
};
