/** Puts a certificate together and signs it. It knows X.509 v3 and ECDSA, and nothing of what a certificate of this mesh should say. */
import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import * as asn1 from './asn1.ts';
import { type Extension, encodeExtension } from './extensions.ts';

/** Attribute types of names (X.520). */
export const NAME = { commonName: '2.5.4.3', serialNumber: '2.5.4.5', organization: '2.5.4.10' } as const;

/** A distinguished name: attribute and value, in order. Empty: the empty name. */
export type Name = readonly (readonly [attribute: string, value: string])[];

export const encodeName = (name: Name): asn1.Asn1 =>
  asn1.sequence(...name.map(([attribute, value]) => asn1.set(asn1.sequence(asn1.oid(attribute), asn1.utf8(value)))));

export interface CertificateFields {
  readonly subject: Name;
  readonly publicKey: KeyObject;
  /** Whole seconds count. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly extensions: readonly Extension[];
}

export interface Signer {
  /** The issuer's name in DER: exactly the bytes of its own certificate. */
  readonly name: asn1.Asn1;
  /** An elliptic-curve key. */
  readonly privateKey: KeyObject;
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

/** SubjectPublicKeyInfo as an element. */
export const encodePublicKey = (key: KeyObject): asn1.Asn1 => {
  const element = asn1.fromDer(key.export({ type: 'spki', format: 'der' }));
  if (element === undefined) throw new TypeError('a public key exports to DER');
  return element;
};

/** RFC 5280 §4.2.1.2, method 1, with the left 160 bits of SHA-256 (RFC 7093 §2). */
export const keyIdentifier = (key: KeyObject): Buffer => {
  const publicKeyBits = asn1.content(asn1.children(encodePublicKey(key))[1]).subarray(1);
  return createHash('sha256').update(publicKeyBits).digest().subarray(0, 20);
};

/** 128 random bits; the leading byte keeps the number positive and its encoding minimal. */
const serialNumber = (): asn1.Asn1 => asn1.integer(Buffer.concat([Buffer.of(1), randomBytes(16)]));

/** `{ toBeSigned, ecdsa-with-SHA256, signature }`: the shape that certificates and requests share. Returns DER. */
export const signStructure = (toBeSigned: asn1.Asn1, privateKey: KeyObject): Buffer =>
  asn1.toDer(
    asn1.sequence(
      toBeSigned,
      asn1.sequence(asn1.oid(ECDSA_WITH_SHA256)),
      asn1.bits(sign('sha256', asn1.toDer(toBeSigned), privateKey)),
    ),
  );

/** The certificate in DER. */
export const signCertificate = (fields: CertificateFields, signer: Signer): Buffer =>
  signStructure(
    asn1.sequence(
      asn1.explicit(0, asn1.integer(Buffer.of(2))), // v3
      serialNumber(),
      asn1.sequence(asn1.oid(ECDSA_WITH_SHA256)),
      signer.name,
      asn1.sequence(asn1.time(fields.notBeforeMs), asn1.time(fields.notAfterMs)),
      encodeName(fields.subject),
      encodePublicKey(fields.publicKey),
      asn1.explicit(3, asn1.sequence(...fields.extensions.map(encodeExtension))),
    ),
    signer.privateKey,
  );
