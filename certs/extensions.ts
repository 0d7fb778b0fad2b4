/** X.509 extensions as this mesh writes and reads them (RFC 5280 §4.2). Names of other kinds than these are kept out of identity. */
import { isIPv4, SocketAddress } from 'node:net';
import * as asn1 from './asn1.ts';

export const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** One extension; `value` is what its octet string holds. */
export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

/** GeneralName (RFC 5280 §4.2.1.6): the kinds that the mesh knows. */
export interface GeneralNames {
  readonly uris: readonly string[];
  readonly dnsNames?: readonly string[];
  /** In their text form. */
  readonly ipAddresses?: readonly string[];
}

const DNS = 2;
const URI = 6;
const IP = 7;

/** The bits of KeyUsage that the checklist of an X.509-SVID speaks of. */
export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;
export type KeyUsage = keyof typeof KEY_USAGE;

const extension = (id: string, critical: boolean, value: asn1.Asn1): Extension => ({
  id,
  critical,
  value: asn1.toDer(value),
});

export const basicConstraints = (ca: boolean): Extension =>
  extension(OID.basicConstraints, true, ca ? asn1.sequence(asn1.boolean(true)) : asn1.sequence());

export const keyUsage = (usages: readonly KeyUsage[], critical = true): Extension => {
  const byte = usages.reduce((sum, usage) => sum | (0x80 >> KEY_USAGE[usage]), 0);
  // DER: a named bit string ends with its last set bit.
  const unused = byte === 0 ? 0 : 31 - Math.clz32(byte & -byte);
  return extension(OID.keyUsage, critical, asn1.bits(byte === 0 ? Buffer.alloc(0) : Buffer.of(byte), unused));
};

export const extendedKeyUsage = (purposes: readonly string[]): Extension =>
  extension(OID.extendedKeyUsage, false, asn1.sequence(...purposes.map(asn1.oid)));

export const subjectKeyIdentifier = (keyId: Buffer): Extension =>
  extension(OID.subjectKeyIdentifier, false, asn1.octets(keyId));

export const authorityKeyIdentifier = (keyId: Buffer): Extension =>
  extension(OID.authorityKeyIdentifier, false, asn1.sequence(asn1.implicit(0, keyId)));

const ipBytes = (address: string): Buffer => {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  // The canonical text of the whole address, with its one "::" written out.
  const [head = '', tail] = new SocketAddress({ address, family: 'ipv6' }).address.split('::');
  const groups = (text: string | undefined): string[] =>
    text === undefined || text === ''
      ? []
      : text
          .split(':')
          .flatMap(group => (isIPv4(group) ? (ipBytes(group).toString('hex').match(/.{4}/g) ?? []) : [group]));
  const [first, last] = [groups(head), groups(tail)];
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => '0'), ...last];
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex');
};

/** `critical`: must be, when the certificate has no subject (RFC 5280 §4.2.1.6). */
export const subjectAltName = (names: GeneralNames, critical: boolean): Extension =>
  extension(
    OID.subjectAltName,
    critical,
    asn1.sequence(
      ...names.uris.map(uri => asn1.implicit(URI, Buffer.from(uri))),
      ...(names.dnsNames ?? []).map(name => asn1.implicit(DNS, Buffer.from(name))),
      ...(names.ipAddresses ?? []).map(address => asn1.implicit(IP, ipBytes(address))),
    ),
  );

export const encodeExtension = ({ id, critical, value }: Extension): asn1.Asn1 =>
  asn1.sequence(asn1.oid(id), ...(critical ? [asn1.boolean(true)] : []), asn1.octets(value));

/** The extensions in a SEQUENCE OF Extension, or undefined where it is malformed or names one twice (RFC 5280 §4.2). */
export const readExtensions = (list: asn1.Asn1 | undefined): ReadonlyMap<string, Extension> | undefined => {
  const extensions = new Map<string, Extension>();
  for (const item of asn1.children(list)) {
    const parts = asn1.children(item);
    const hasCritical = asn1.isBoolean(parts[1]);
    const value = parts[hasCritical ? 2 : 1];
    const id = asn1.readOid(parts[0]);
    if (id === '' || extensions.has(id) || !asn1.isOctets(value)) return undefined;
    extensions.set(id, { id, critical: hasCritical && asn1.content(parts[1])[0] !== 0, value: asn1.content(value) });
  }
  return extensions;
};

/** The URIs of a subjectAltName, and how many names of other kinds stand beside them; undefined: malformed. */
export const readSubjectAltName = (
  value: Buffer,
): { readonly uris: readonly string[]; readonly others: number } | undefined => {
  const names = asn1.fromDer(value);
  if (!asn1.isSequence(names)) return undefined;
  const all = asn1.children(names);
  const uris = all.filter(name => asn1.contextTag(name) === URI).map(name => asn1.content(name).toString('latin1'));
  return { uris, others: all.length - uris.length };
};

/** The bits that are set, or undefined: malformed. */
export const readKeyUsage = (value: Buffer): ReadonlySet<KeyUsage> | undefined => {
  const element = asn1.fromDer(value);
  if (!asn1.isBits(element)) return undefined;
  const byte = asn1.content(element)[1] ?? 0;
  const names = Object.keys(KEY_USAGE) as KeyUsage[];
  return new Set(names.filter(name => (byte & (0x80 >> KEY_USAGE[name])) !== 0));
};

/** The purposes' object identifiers, or undefined: malformed. */
export const readExtendedKeyUsage = (value: Buffer): readonly string[] | undefined => {
  const element = asn1.fromDer(value);
  return asn1.isSequence(element) ? asn1.children(element).map(asn1.readOid) : undefined;
};
