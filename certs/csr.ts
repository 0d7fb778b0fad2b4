/** Certificate signing requests (PKCS #10, RFC 2986): made in the sidecar, whose key never leaves it, and checked by the control plane. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import * as asn1 from './asn1.ts';
import { createKeyPair, formatPrivateKey } from './certificate-authority.ts';
import { encodeExtension, OID, readExtensions, readSubjectAltName, subjectAltName } from './extensions.ts';
import { formatPem, readPem } from './pem.ts';
import { type Refusal, refuse } from './refusal.ts';
import { encodeName, encodePublicKey, signStructure } from './sign-certificate.ts';
import { parseSpiffeId, type SpiffeId, type SpiffeIdReason } from './spiffe-id.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const LABEL = 'CERTIFICATE REQUEST';

/** Ten times what ours needs. */
const MAX_CSR_BYTES = 8_192;

export interface CreatedCsr {
  readonly csrPem: string;
  /** PKCS #8; stays here. */
  readonly keyPem: string;
}

/** A new ECDSA P-256 key, and the request to certify it for this id. */
export const createCsr = (id: SpiffeId): CreatedCsr => {
  const { privateKey, publicKey } = createKeyPair();
  const extensions = asn1.sequence(encodeExtension(subjectAltName({ uris: [id.uri] }, true)));
  const attribute = asn1.sequence(asn1.oid(EXTENSION_REQUEST), asn1.set(extensions));
  const toBeSigned = asn1.sequence(
    asn1.integer(Buffer.of(0)),
    encodeName([]),
    encodePublicKey(publicKey),
    asn1.explicit(0, attribute),
  );
  return { csrPem: formatPem(signStructure(toBeSigned, privateKey), LABEL), keyPem: formatPrivateKey(privateKey) };
};

export type CsrReason =
  | 'csr_too_large'
  | 'csr_malformed'
  | 'csr_key_not_p256'
  | 'csr_signature'
  | 'csr_uri_san_missing'
  | 'csr_uri_san_multiple'
  | 'csr_other_san'
  | SpiffeIdReason;

/** What a good request proves and asks for. Nothing else that it says goes into the certificate. */
export interface CheckedCsr {
  /** Asked for, not yet granted. */
  readonly id: SpiffeId;
  /** Its private half signed the request. */
  readonly publicKey: KeyObject;
}

const readPublicKey = (element: asn1.Asn1 | undefined): KeyObject | undefined => {
  try {
    return element && createPublicKey({ key: asn1.toDer(element), type: 'spki', format: 'der' });
  } catch {
    return undefined;
  }
};

/** The subjectAltName among the requested extensions; undefined: none. */
const requestedNames = (info: readonly asn1.Asn1[]) => {
  const attributes = info.find(item => asn1.contextTag(item) === 0);
  const request = asn1.children(attributes).find(item => asn1.readOid(asn1.children(item)[0]) === EXTENSION_REQUEST);
  const extensions = readExtensions(asn1.children(asn1.children(request)[1])[0]);
  const san = extensions?.get(OID.subjectAltName);
  return san && readSubjectAltName(san.value);
};

/** Checks a request: size, form, key, signature, and that it names one SPIFFE id and nothing else. Whether that id is the sender's is for the caller to decide. */
export const checkCsr = (csrPem: string): CheckedCsr | Refusal<CsrReason> => {
  if (csrPem.length > MAX_CSR_BYTES)
    return refuse('csr_too_large', `The certificate request is longer than ${MAX_CSR_BYTES} bytes.`);
  const malformed = refuse('csr_malformed', 'The certificate request is not one PEM block of a PKCS #10 request.');
  const [der, ...more] = readPem(csrPem, LABEL);
  if (der === undefined || more.length > 0) return malformed;
  const [toBeSigned, , signature] = asn1.children(asn1.fromDer(der));
  if (!asn1.isSequence(toBeSigned) || !asn1.isBits(signature)) return malformed;
  const info = asn1.children(toBeSigned);
  // version, subject, subjectPKInfo, attributes
  const publicKey = readPublicKey(info[2]);
  if (publicKey === undefined) return malformed;
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    const kind = publicKey.asymmetricKeyDetails?.namedCurve ?? publicKey.asymmetricKeyType ?? 'unknown';
    return refuse('csr_key_not_p256', `The key is of the kind ${kind}; the mesh certifies ECDSA P-256 keys only.`);
  }
  if (!verify('sha256', asn1.toDer(toBeSigned), publicKey, asn1.content(signature).subarray(1))) {
    return refuse('csr_signature', 'The request is not signed with ECDSA and SHA-256 by the key that it names.');
  }
  const names = requestedNames(info);
  const uri = names?.uris[0];
  if (names === undefined || uri === undefined)
    return refuse('csr_uri_san_missing', 'The request names no SPIFFE id: it needs one URI in its subjectAltName.');
  if (names.uris.length > 1)
    return refuse('csr_uri_san_multiple', 'The request names several URIs; a workload has one SPIFFE id.');
  if (names.others > 0)
    return refuse(
      'csr_other_san',
      'The request asks for names other than a SPIFFE id, which the mesh does not certify for workloads.',
    );
  const id = parseSpiffeId(uri);
  if ('reason' in id) return id;
  if (id.path === '')
    return refuse('spiffe_id_path', 'The request names a trust domain; a workload has an id with a path.');
  return { id, publicKey };
};
