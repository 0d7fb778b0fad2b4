/** The little of ASN.1 that X.509 needs, on node-forge: building and reading DER as data. */
import forge from 'node-forge/lib/asn1.js';

export type Asn1 = Parameters<typeof forge.toDer>[0];

const { Class, Type } = forge;

const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

export const sequence = (...items: readonly Asn1[]): Asn1 =>
  forge.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...items]);
export const set = (...items: readonly Asn1[]): Asn1 => forge.create(Class.UNIVERSAL, Type.SET, true, [...items]);
export const oid = (dotted: string): Asn1 =>
  forge.create(Class.UNIVERSAL, Type.OID, false, forge.oidToDer(dotted).getBytes());
export const boolean = (value: boolean): Asn1 =>
  forge.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\x00');
export const utf8 = (text: string): Asn1 => forge.create(Class.UNIVERSAL, Type.UTF8, false, binary(Buffer.from(text)));
/** `bytes`: two's complement, big-endian, minimal. */
export const integer = (bytes: Uint8Array): Asn1 => forge.create(Class.UNIVERSAL, Type.INTEGER, false, binary(bytes));
export const octets = (bytes: Uint8Array): Asn1 =>
  forge.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(bytes));
/** `unused`: bits of the last byte that don't count. */
export const bits = (bytes: Uint8Array, unused = 0): Asn1 =>
  forge.create(Class.UNIVERSAL, Type.BITSTRING, false, String.fromCharCode(unused) + binary(bytes));
/** `[number] IMPLICIT` of a primitive type. */
export const implicit = (number: number, bytes: Uint8Array): Asn1 =>
  forge.create(Class.CONTEXT_SPECIFIC, number, false, binary(bytes));
/** `[number]` around whole elements. */
export const explicit = (number: number, ...items: readonly Asn1[]): Asn1 =>
  forge.create(Class.CONTEXT_SPECIFIC, number, true, [...items]);

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
export const time = (ms: number): Asn1 => {
  const date = new Date(ms);
  return date.getUTCFullYear() < 2050
    ? forge.create(Class.UNIVERSAL, Type.UTCTIME, false, forge.dateToUtcTime(date))
    : forge.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, forge.dateToGeneralizedTime(date));
};

export const toDer = (element: Asn1): Buffer => Buffer.from(forge.toDer(element).getBytes(), 'latin1');

/** Deeper than any certificate; bounds the work that hostile input can cause. */
const MAX_DEPTH = 16;

/** The element that these bytes are, in DER and to the last byte, or undefined. Octet and bit strings stay as they are. */
export const fromDer = (der: Uint8Array): Asn1 | undefined => {
  try {
    const bytes = binary(der);
    const element = forge.fromDer(bytes, {
      strict: true,
      parseAllBytes: true,
      decodeBitStrings: false,
      maxDepth: MAX_DEPTH,
    });
    // node-forge also takes BER, which others may read differently.
    return forge.toDer(element).getBytes() === bytes ? element : undefined;
  } catch {
    return undefined; // node-forge tells malformed input by throwing
  }
};

/** What is inside a constructed element; nothing for a primitive one. */
export const children = (element: Asn1 | undefined): readonly Asn1[] =>
  Array.isArray(element?.value) ? element.value : [];

/** The bytes of a primitive element; none for a constructed one. */
export const content = (element: Asn1 | undefined): Buffer =>
  Buffer.from(typeof element?.value === 'string' ? element.value : '', 'latin1');

const isUniversal = (element: Asn1 | undefined, type: number): element is Asn1 =>
  element?.tagClass === Class.UNIVERSAL && element.type === type;

export const isBoolean = (element: Asn1 | undefined): element is Asn1 => isUniversal(element, Type.BOOLEAN);
export const isOctets = (element: Asn1 | undefined): element is Asn1 => isUniversal(element, Type.OCTETSTRING);
export const isBits = (element: Asn1 | undefined): element is Asn1 => isUniversal(element, Type.BITSTRING);
export const isSequence = (element: Asn1 | undefined): element is Asn1 => isUniversal(element, Type.SEQUENCE);
/** The number of a context-specific tag, or -1. */
export const contextTag = (element: Asn1): number => (element.tagClass === Class.CONTEXT_SPECIFIC ? element.type : -1);

/** The dotted form of an object identifier, or ''. */
export const readOid = (element: Asn1 | undefined): string => {
  if (!isUniversal(element, Type.OID) || typeof element.value !== 'string' || element.value === '') return '';
  return forge.derToOid(element.value);
};
