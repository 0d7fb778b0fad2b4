/** node-forge's ASN.1 part alone: a tenth of the start-up time of the whole package, and half of its memory. */
declare module 'node-forge/lib/asn1.js' {
  interface Element {
    readonly tagClass: number;
    readonly type: number;
    readonly constructed: boolean;
    /** Bytes as latin1 text, or the elements inside. */
    readonly value: string | readonly Element[];
  }
  interface Bytes {
    getBytes(): string;
  }
  const asn1: {
    readonly Class: { readonly UNIVERSAL: number; readonly CONTEXT_SPECIFIC: number };
    readonly Type: Readonly<
      Record<
        | 'BOOLEAN'
        | 'INTEGER'
        | 'BITSTRING'
        | 'OCTETSTRING'
        | 'OID'
        | 'UTF8'
        | 'SEQUENCE'
        | 'SET'
        | 'UTCTIME'
        | 'GENERALIZEDTIME',
        number
      >
    >;
    create(tagClass: number, type: number, constructed: boolean, value: string | Element[]): Element;
    toDer(element: Element): Bytes;
    /** @throws when the bytes are no BER. */
    fromDer(
      bytes: string,
      options: { strict: boolean; parseAllBytes: boolean; decodeBitStrings: boolean; maxDepth: number },
    ): Element;
    oidToDer(dotted: string): Bytes;
    derToOid(bytes: string): string;
    dateToUtcTime(date: Date): string;
    dateToGeneralizedTime(date: Date): string;
  };
  export default asn1;
}
