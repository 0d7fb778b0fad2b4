import type { FieldList } from '../../head.ts';
import { STATIC_NAMES } from './static-table.ts';

/**
 * HPACK encoding without state (RFC 7541 §6): nothing is inserted into the dynamic table, so a field is the same bytes on every connection.
 * Strings are latin1 and go out as they are, without Huffman coding.
 */

/** Upper bound for one field: a first byte, and two strings with lengths of up to five bytes. */
export const fieldBytes = (name: string, value: string): number => name.length + value.length + 11;

/** Writes an integer with a prefix of `7` or `4` bits (RFC 7541 §5.1); `first` holds the bits before it. */
const writeInteger = (out: Buffer, pos: number, value: number, max: number, first: number): number => {
  if (value < max) {
    out[pos] = first | value;
    return pos + 1;
  }
  out[pos] = first | max;
  let rest = value - max;
  let at = pos + 1;
  while (rest >= 128) {
    out[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[at] = rest;
  return at + 1;
};

/** Up to this length a loop is cheaper than a call into the runtime (measured: `bench/micro/hpack.ts`). */
const LOOP_MAX = 16;

const writeString = (out: Buffer, pos: number, text: string): number => {
  const { length } = text;
  const at = writeInteger(out, pos, length, 127, 0);
  if (length > LOOP_MAX) return at + out.latin1Write(text, at, length);
  for (let i = 0; i < length; i++) out[at + i] = text.charCodeAt(i);
  return at + length;
};

/** Indexed when the static table has the field, else a literal without indexing. The position behind it. */
export const writeField = (out: Buffer, pos: number, name: string, value: string): number => {
  const known = STATIC_NAMES.get(name);
  if (known === undefined) {
    out[pos] = 0;
    return writeString(out, writeString(out, pos + 1, name), value);
  }
  const whole = known.values.get(value);
  if (whole !== undefined) return writeInteger(out, pos, whole, 127, 0x80);
  return writeString(out, writeInteger(out, pos, known.index, 15, 0), value);
};

/** A never-indexed literal with a literal name: how volatile fields travel, so that the receiver can tell them from the rest. */
export const writeVolatileField = (out: Buffer, pos: number, name: string, value: string): number => {
  out[pos] = 0x10;
  return writeString(out, writeString(out, pos + 1, name), value);
};

/** A whole list. */
export const encodeFields = (list: FieldList): Buffer => {
  let bound = 0;
  for (let i = 0; i < list.length; i += 2) bound += fieldBytes(list[i] as string, list[i + 1] as string);
  const out = Buffer.allocUnsafe(bound);
  let pos = 0;
  for (let i = 0; i < list.length; i += 2) pos = writeField(out, pos, list[i] as string, list[i + 1] as string);
  return out.subarray(0, pos);
};
