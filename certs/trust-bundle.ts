/** The roots that a sidecar trusts, each for its own trust domain. Source: SPIFFE Trust Domain and Bundle §4, X509-SVID §6. */
import { createHash, X509Certificate } from 'node:crypto';
import { readCertificateParts } from './certificate-parts.ts';
import { formatPem, readPem } from './pem.ts';
import { type Refusal, refuse } from './refusal.ts';
import { parseSpiffeId } from './spiffe-id.ts';

export interface TrustBundle {
  /** All roots. */
  readonly pem: string;
  /** Changes when a root comes or goes, and not with the order or the spelling of the file. */
  readonly version: string;
  /** Trust domain to its roots: several while a root is being rotated. */
  readonly roots: ReadonlyMap<string, readonly X509Certificate[]>;
}

export type BundleReason = 'bundle_empty' | 'bundle_malformed' | 'bundle_not_ca' | 'bundle_not_root' | 'bundle_root_id';

/** The trust domain that a root's own SPIFFE id names; `fallback` for a root without one, which a user may bring. */
const trustDomainOf = (root: X509Certificate, fallback: string): string | Refusal<BundleReason> => {
  const parts = readCertificateParts(root);
  if (parts === undefined) return refuse('bundle_malformed', 'A certificate of the trust bundle is malformed.');
  if (!root.ca || parts.keyUsage?.has('keyCertSign') !== true) {
    return refuse(
      'bundle_not_ca',
      `The trust bundle holds a certificate that may not sign others: ${root.subject || root.fingerprint256}.`,
    );
  }
  if (!(root.checkIssued(root) && root.verify(root.publicKey))) {
    return refuse(
      'bundle_not_root',
      `The trust bundle holds a certificate that is not self-signed: ${root.subject}. Put its root there.`,
    );
  }
  const uri = parts.uris.find(name => /^spiffe:/i.test(name));
  if (uri === undefined) return fallback;
  const id = parseSpiffeId(uri);
  if ('reason' in id || id.path !== '')
    return refuse('bundle_root_id', `A root's SPIFFE id is a trust domain without a path, and not ${uri}.`);
  return id.trustDomain;
};

/** Reads PEM with the roots of one or more trust domains. `ownTrustDomain`: whose the roots without a SPIFFE id are. */
export const parseTrustBundle = (pem: string, ownTrustDomain: string): TrustBundle | Refusal<BundleReason> => {
  const roots = new Map<string, X509Certificate[]>();
  const fingerprints = new Set<string>();
  for (const der of readPem(pem, 'CERTIFICATE')) {
    let root: X509Certificate;
    try {
      root = new X509Certificate(der);
    } catch {
      return refuse('bundle_malformed', 'A certificate of the trust bundle is malformed.');
    }
    if (fingerprints.has(root.fingerprint256)) continue;
    const trustDomain = trustDomainOf(root, ownTrustDomain);
    if (typeof trustDomain !== 'string') return trustDomain;
    fingerprints.add(root.fingerprint256);
    roots.set(trustDomain, [...(roots.get(trustDomain) ?? []), root]);
  }
  if (fingerprints.size === 0) return refuse('bundle_empty', 'The trust bundle holds no certificate.');
  const all = [...roots].flatMap(([trustDomain, list]) => list.map(root => `${trustDomain} ${root.fingerprint256}`));
  return {
    pem: [...roots.values()]
      .flat()
      .map(root => formatPem(root.raw, 'CERTIFICATE'))
      .join(''),
    version: createHash('sha256').update(all.sort().join('\n')).digest('hex').slice(0, 16),
    roots,
  };
};

/** One trust domain's bundle as others fetch it: a JWK set, one key per root (SPIFFE Trust Domain and Bundle §4.2). */
export interface SpiffeBundle {
  /** Grows with each change of the bundle. */
  readonly spiffe_sequence: number;
  /** Seconds after which to look again. */
  readonly spiffe_refresh_hint: number;
  /** Without `kid`, as X509-SVID §6 wants it. */
  readonly keys: readonly (Readonly<Record<string, unknown>> & {
    readonly use: 'x509-svid';
    readonly x5c: readonly [string];
  })[];
}

export const createSpiffeBundle = (
  bundle: TrustBundle,
  trustDomain: string,
  options: { readonly sequence: number; readonly refreshHintSeconds: number },
): SpiffeBundle => ({
  spiffe_sequence: options.sequence,
  spiffe_refresh_hint: options.refreshHintSeconds,
  keys: (bundle.roots.get(trustDomain) ?? []).map(root => ({
    ...root.publicKey.export({ format: 'jwk' }),
    use: 'x509-svid',
    x5c: [root.raw.toString('base64')],
  })),
});
