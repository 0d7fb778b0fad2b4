/** One certificate for each way to break the rules of an X.509-SVID, and the unusual ones that keep them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createCertificateAuthority, createKeyPair, formatPrivateKey } from '../../certs/certificate-authority.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  OID,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../certs/extensions.ts';
import { formatPem } from '../../certs/pem.ts';
import {
  encodeName,
  keyIdentifier,
  NAME,
  type Name,
  type Signer,
  signCertificate,
} from '../../certs/sign-certificate.ts';
import type { SvidReason } from '../../certs/verify-svid.ts';
import { accepted, createSvid, type KeyedCertificate, type TestMesh } from './test-mesh.ts';

const GOOD_ID = 'spiffe://mesh.local/ns/default/sa/mallory';
const DAY_MS = 86_400_000;

/** How a certificate differs from a good one that the root signed. */
interface Recipe {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** Instead of the extension of the same name; undefined: without it. */
  readonly extensions?: Partial<
    Record<'basicConstraints' | 'keyUsage' | 'extendedKeyUsage' | 'subjectAltName', Extension | undefined>
  >;
  readonly subject?: Name;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly keys?: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  /** `keyId` as in its certificate. */
  readonly signer?: Signer & { readonly keyId: Buffer };
  /** PEM of what follows the leaf. */
  readonly above?: string;
}

const bake = (
  mesh: TestMesh,
  recipe: Recipe,
): KeyedCertificate & { readonly signer: Signer & { readonly keyId: Buffer } } => {
  const { privateKey, publicKey } = recipe.keys ?? createKeyPair();
  const subject = recipe.subject ?? [];
  const signer = recipe.signer ?? mesh.root;
  const keyId = keyIdentifier(publicKey);
  const extensions: Record<string, Extension | undefined> = {
    basicConstraints: basicConstraints(false),
    keyUsage: keyUsage(['digitalSignature']),
    extendedKeyUsage: extendedKeyUsage([OID.serverAuth, OID.clientAuth]),
    subjectAltName: subjectAltName(
      { uris: recipe.uris ?? [GOOD_ID], dnsNames: recipe.dnsNames ?? [] },
      subject.length === 0,
    ),
    subjectKeyIdentifier: subjectKeyIdentifier(keyId),
    authorityKeyIdentifier: authorityKeyIdentifier(signer.keyId),
    ...recipe.extensions,
  };
  const der = signCertificate(
    {
      subject,
      publicKey,
      notBeforeMs: recipe.notBeforeMs ?? mesh.nowMs - 60_000,
      notAfterMs: recipe.notAfterMs ?? mesh.nowMs + DAY_MS,
      extensions: Object.values(extensions).filter(extension => extension !== undefined),
    },
    signer,
  );
  return {
    certificatePem: formatPem(der, 'CERTIFICATE') + (recipe.above ?? ''),
    keyPem: formatPrivateKey(privateKey),
    signer: { name: encodeName(subject), privateKey, keyId },
  };
};

const selfSigned = (mesh: TestMesh): KeyedCertificate => {
  const keys = createKeyPair();
  const subject: Name = [[NAME.commonName, 'mallory']];
  return bake(mesh, {
    keys,
    subject,
    signer: { name: encodeName(subject), privateKey: keys.privateKey, keyId: keyIdentifier(keys.publicKey) },
  });
};

/** A leaf below a certificate of this recipe, sent together. */
const below = (mesh: TestMesh, above: Recipe): KeyedCertificate => {
  const issuer = bake(mesh, { subject: [[NAME.commonName, 'mallory the issuer']], ...above });
  return bake(mesh, { signer: issuer.signer, above: issuer.certificatePem });
};

export interface Violation {
  /** Completes "a certificate …". */
  readonly name: string;
  /** Why `verifySvid` refuses it; OpenSSL may refuse it first. */
  readonly reason: SvidReason;
  readonly make: (mesh: TestMesh) => KeyedCertificate;
}

const withUri = (name: string, reason: SvidReason, uri: string): Violation => ({
  name,
  reason,
  make: mesh => bake(mesh, { uris: [uri] }),
});
const withExtensions = (
  name: string,
  reason: SvidReason,
  extensions: NonNullable<Recipe['extensions']>,
): Violation => ({
  name,
  reason,
  make: mesh => bake(mesh, { extensions }),
});

/** One of each. The bundle trusts `mesh.root` and `mesh.otherRoot`. */
export const VIOLATIONS: readonly Violation[] = [
  { name: 'signed by itself', reason: 'untrusted', make: selfSigned },
  {
    name: 'that has expired',
    reason: 'expired',
    make: mesh => bake(mesh, { notBeforeMs: mesh.nowMs - DAY_MS, notAfterMs: mesh.nowMs - 60_000 }),
  },
  {
    name: 'that is not yet valid',
    reason: 'not_yet_valid',
    make: mesh => bake(mesh, { notBeforeMs: mesh.nowMs + 60_000 }),
  },
  {
    name: 'of an unknown authority that claims our trust domain',
    reason: 'untrusted',
    make: mesh =>
      createSvid(accepted(createCertificateAuthority({ trustDomain: 'mesh.local', nowMs: mesh.nowMs })), 'mallory'),
  },
  {
    name: "of another trust domain's authority, for an id of ours",
    reason: 'untrusted',
    make: mesh => bake(mesh, { signer: mesh.otherRoot }),
  },
  {
    name: 'for a trust domain that is not in the bundle',
    reason: 'unknown_trust_domain',
    make: mesh => bake(mesh, { uris: ['spiffe://nowhere.example/ns/default/sa/mallory'] }),
  },
  { name: 'signed with the key of a leaf', reason: 'untrusted', make: mesh => below(mesh, {}) },
  {
    name: 'whose intermediate is missing',
    reason: 'untrusted',
    make: mesh => bake(mesh, { signer: mesh.intermediate }),
  },
  {
    name: 'below a CA without keyCertSign',
    reason: 'untrusted',
    make: mesh =>
      below(mesh, { extensions: { basicConstraints: basicConstraints(true), extendedKeyUsage: undefined } }),
  },
  {
    name: 'below a CA whose id has a path',
    reason: 'untrusted',
    make: mesh =>
      below(mesh, {
        extensions: {
          basicConstraints: basicConstraints(true),
          keyUsage: keyUsage(['keyCertSign']),
          extendedKeyUsage: undefined,
        },
      }),
  },
  {
    name: 'below an expired CA',
    reason: 'expired',
    make: mesh =>
      below(mesh, {
        uris: ['spiffe://mesh.local'],
        notBeforeMs: mesh.nowMs - DAY_MS,
        notAfterMs: mesh.nowMs - 60_000,
        extensions: {
          basicConstraints: basicConstraints(true),
          keyUsage: keyUsage(['keyCertSign']),
          extendedKeyUsage: undefined,
        },
      }),
  },
  {
    name: 'with two SPIFFE ids',
    reason: 'uri_san_multiple',
    make: mesh => bake(mesh, { uris: [GOOD_ID, 'spiffe://mesh.local/ns/default/sa/admin'] }),
  },
  {
    name: 'with another URI beside its SPIFFE id',
    reason: 'uri_san_multiple',
    make: mesh => bake(mesh, { uris: [GOOD_ID, 'https://mesh.local/'] }),
  },
  withExtensions('without a subjectAltName', 'uri_san_missing', { subjectAltName: undefined }),
  {
    name: 'with a DNS name only',
    reason: 'uri_san_missing',
    make: mesh => bake(mesh, { uris: [], dnsNames: ['web.default'] }),
  },
  withUri('with an https URI', 'spiffe_id_scheme', 'https://mesh.local/ns/default/sa/mallory'),
  withUri('with the id of the trust domain itself', 'leaf_without_path', 'spiffe://mesh.local'),
  withUri('whose id has no trust domain', 'spiffe_id_trust_domain', 'spiffe:///ns/default/sa/mallory'),
  withUri(
    'whose trust domain is percent-encoded',
    'spiffe_id_trust_domain',
    'spiffe://mesh%2elocal/ns/default/sa/mallory',
  ),
  withUri('whose id ends with a slash', 'spiffe_id_path', `${GOOD_ID}/`),
  withUri('whose id has an empty segment', 'spiffe_id_path', 'spiffe://mesh.local/ns//sa/mallory'),
  withUri('whose id has a dot segment', 'spiffe_id_path', 'spiffe://mesh.local/ns/./sa/mallory'),
  withUri('whose id has a double-dot segment', 'spiffe_id_path', 'spiffe://mesh.local/ns/default/sa/mallory/../admin'),
  withUri('whose path is percent-encoded', 'spiffe_id_path', 'spiffe://mesh.local/ns/default/sa/m%61llory'),
  withUri('whose id has a NUL byte', 'spiffe_id_path', 'spiffe://mesh.local/ns/default/sa/admin\0mallory'),
  withUri('whose id has a user', 'spiffe_id_authority', 'spiffe://root@mesh.local/ns/default/sa/mallory'),
  withUri('whose id has a port', 'spiffe_id_authority', 'spiffe://mesh.local:443/ns/default/sa/mallory'),
  withUri('whose id has a query', 'spiffe_id_query', `${GOOD_ID}?admin`),
  withUri('whose id has a fragment', 'spiffe_id_fragment', `${GOOD_ID}#admin`),
  withUri('whose id is longer than 2,048 bytes', 'spiffe_id_too_long', `${GOOD_ID}/${'a'.repeat(2_048)}`),
  withExtensions('that is an authority itself', 'leaf_is_ca', {
    basicConstraints: basicConstraints(true),
    keyUsage: keyUsage(['digitalSignature', 'keyCertSign']),
  }),
  withExtensions('without key usage', 'key_usage_missing', { keyUsage: undefined }),
  withExtensions('whose key usage is not critical', 'key_usage_not_critical', {
    keyUsage: keyUsage(['digitalSignature'], false),
  }),
  withExtensions('whose key may not sign', 'key_usage_no_digital_signature', { keyUsage: keyUsage([]) }),
  withExtensions('whose key may sign certificates', 'key_usage_signs_certificates', {
    keyUsage: keyUsage(['digitalSignature', 'keyCertSign']),
  }),
  withExtensions('whose key may sign revocation lists', 'key_usage_signs_certificates', {
    keyUsage: keyUsage(['digitalSignature', 'cRLSign']),
  }),
  withExtensions('without extended key usage', 'extended_key_usage', { extendedKeyUsage: undefined }),
  withExtensions('for servers only', 'extended_key_usage', { extendedKeyUsage: extendedKeyUsage([OID.serverAuth]) }),
  withExtensions('for clients only', 'extended_key_usage', { extendedKeyUsage: extendedKeyUsage([OID.clientAuth]) }),
  withExtensions('without a subject, whose subjectAltName is not critical', 'san_not_critical', {
    subjectAltName: subjectAltName({ uris: [GOOD_ID] }, false),
  }),
  {
    name: 'with an RSA key of 1,024 bits',
    reason: 'weak_key',
    make: mesh => bake(mesh, { keys: generateKeyPairSync('rsa', { modulusLength: 1_024 }) }),
  },
];

/** Unusual, and right. */
export const LEGAL_VARIANTS: readonly { readonly name: string; readonly make: (mesh: TestMesh) => KeyedCertificate }[] =
  [
    { name: 'signed by the root', make: mesh => createSvid(mesh.root, 'web') },
    { name: 'below an intermediate', make: mesh => createSvid(mesh.intermediate, 'web') },
    { name: 'of another trusted trust domain', make: mesh => createSvid(mesh.otherRoot, 'web') },
    { name: 'with a subject', make: mesh => bake(mesh, { subject: [[NAME.commonName, 'web']] }) },
    { name: 'with a DNS name beside its id', make: mesh => bake(mesh, { dnsNames: ['web.default'] }) },
    { name: 'whose id is of another form', make: mesh => bake(mesh, { uris: ['spiffe://mesh.local/batch/nightly'] }) },
    {
      name: 'whose scheme and trust domain are in capitals',
      make: mesh => bake(mesh, { uris: ['SPIFFE://Mesh.LOCAL/ns/default/sa/web'] }),
    },
    {
      name: 'with an RSA key of 2,048 bits',
      make: mesh => bake(mesh, { keys: generateKeyPairSync('rsa', { modulusLength: 2_048 }) }),
    },
  ];
