/**
 * HPACK (RFC 7541) from the side of an ordinary client such as nghttp2 or Go's: fields enter the dynamic table, `:path` does not,
 * and strings are Huffman-coded where the small alphabet here allows it.
 */

/** Codes of RFC 7541 Appendix B, of the characters in generated ids and paths: five bits, then six. */
const HUFFMAN: readonly (readonly [code: number, bits: number] | undefined)[] = (() => {
  const codes: (readonly [number, number] | undefined)[] = [];
  '012aceiost'.split('').forEach((character, code) => {
    codes[character.charCodeAt(0)] = [code, 5];
  });
  ' %-./3456789=A_bdfghlmnpru'.split('').forEach((character, i) => {
    codes[character.charCodeAt(0)] = [0x14 + i, 6];
  });
  return codes;
})();

/** Encodes an integer with an `bits`-bit prefix (RFC 7541 §5.1) and returns where the next byte goes. */
export const writeInteger = (target: Buffer, at: number, first: number, bits: number, value: number): number => {
  const limit = 2 ** bits - 1;
  if (value < limit) {
    target[at] = first | value;
    return at + 1;
  }
  target[at++] = first | limit;
  let left = value - limit;
  for (; left >= 128; left >>= 7) target[at++] = (left & 127) | 128;
  target[at++] = left;
  return at;
};

const huffmanBits = (text: string): number => {
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = HUFFMAN[text.charCodeAt(i)];
    if (code === undefined) return -1;
    bits += code[1];
  }
  return bits;
};

/** Writes a string literal, RFC 7541 §5.2. */
export const writeString = (target: Buffer, at: number, text: string): number => {
  const bits = huffmanBits(text);
  if (bits < 0) {
    at = writeInteger(target, at, 0, 7, text.length);
    return at + target.write(text, at, 'latin1');
  }
  at = writeInteger(target, at, 0x80, 7, Math.ceil(bits / 8));
  let pending = 0;
  let have = 0;
  for (let i = 0; i < text.length; i++) {
    const [code, length] = HUFFMAN[text.charCodeAt(i)]!;
    pending = (pending << length) | code;
    have += length;
    if (have >= 8) {
      have -= 8;
      target[at++] = pending >> have;
      pending &= (1 << have) - 1;
    }
  }
  // The last byte is filled up with ones: the beginning of the end-of-string code.
  if (have > 0) target[at++] = (pending << (8 - have)) | (0xff >> have);
  return at;
};

/** A field as a literal that enters no table. */
export const hpackLiteral = (name: string, value: string): Buffer => {
  const target = Buffer.alloc(name.length + value.length + 8);
  return target.subarray(0, writeString(target, writeString(target, writeInteger(target, 0, 0, 4, 0), name), value));
};

/** Entries of the static table that requests here use. */
const STATIC_ENTRIES = 61;
const ENTRY_OVERHEAD = 32;
/** Size of the dynamic table that both sides start with, in bytes. */
const DEFAULT_TABLE_BYTES = 4_096;

/** A field that an encoder may have put into its dynamic table. */
export interface TableField {
  readonly name: string;
  /** Index of the name in the static table; 0: it is not there. */
  readonly staticName: number;
}

/** The encoder's view of the dynamic table: which insertion each field was, and which insertions are still there. */
export class TableEncoder {
  readonly #limit: number;
  #sizeUpdate: boolean;
  #inserted = 0;
  #dropped = 0;
  #bytes = 0;
  readonly #sizes: number[] = [];
  readonly #last = new Map<TableField, { readonly value: string; readonly at: number }>();

  /** `peerTableBytes`: the peer's SETTINGS_HEADER_TABLE_SIZE. */
  constructor(peerTableBytes: number) {
    this.#limit = Math.min(peerTableBytes, DEFAULT_TABLE_BYTES);
    this.#sizeUpdate = this.#limit < DEFAULT_TABLE_BYTES;
  }

  /** Call first in each header block: tells the peer once that less of the table is used. */
  begin(target: Buffer, at: number): number {
    if (!this.#sizeUpdate) return at;
    this.#sizeUpdate = false;
    return writeInteger(target, at, 0x20, 5, this.#limit);
  }

  /** Writes `field: value`, by index when the table still has it, else as a literal that enters the table. */
  write(target: Buffer, at: number, field: TableField, value: string): number {
    const last = this.#last.get(field);
    const known = last !== undefined && last.at >= this.#dropped;
    const index = known ? STATIC_ENTRIES + this.#inserted - last.at : field.staticName;
    if (known && last.value === value) return writeInteger(target, at, 0x80, 7, index);
    at = writeInteger(target, at, 0x40, 6, index);
    if (index === 0) at = writeString(target, at, field.name);
    this.#insert(field, value);
    return writeString(target, at, value);
  }

  #insert(field: TableField, value: string): void {
    const bytes = field.name.length + value.length + ENTRY_OVERHEAD;
    while (this.#sizes.length > 0 && this.#bytes + bytes > this.#limit) {
      this.#bytes -= this.#sizes.shift()!;
      this.#dropped += 1;
    }
    // An entry larger than the table empties it and does not enter, RFC 7541 §4.4.
    if (bytes > this.#limit) return;
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    this.#last.set(field, { value, at: this.#inserted });
    this.#inserted += 1;
  }
}
