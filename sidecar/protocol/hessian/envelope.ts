import { Cursor } from '../thrift/cursor.ts';
import { MAX_ENVELOPE_BYTES, MAX_NAME_LENGTH } from './limits.ts';
import { skipValue } from './skip-value.ts';
import { readText, skipText } from './text.ts';

/** What a call says before its arguments. */
export interface Envelope {
  /** Of the reply that the caller reads. */
  readonly version: 1 | 2;
  /** As it was sent; '' where it is compressed, signed or encrypted (Hessian 2's `E`). */
  readonly method: string;
}

/** What is wrong with the beginning of a body, as a detail of an error. */
export type HessianFault =
  | 'hessian_magic'
  | 'hessian_name'
  | 'hessian_header'
  | 'hessian_depth'
  | 'hessian_truncated'
  | 'hessian_too_long';

const CALL_1 = 0x63; // c
const HESSIAN_2 = 0x48; // H
const HEADER = 0x48; // H
const METHOD = 0x6d; // m
const CALL_2 = 0x43; // C
const ENVELOPE = 0x45; // E
const LONG_STRING = 0x53; // S

/**
 * The beginning of a call; undefined while more bytes must come; or what is wrong. Hessian 1: `c x01 x00 [H name value]… m b16 name`, also with
 * `c x02 x00`, which asks for a reply in Hessian 2; Hessian 2: `H x02 x00 C name`. Hessian 1.0.2 §5, Hessian 2.0 §4.
 */
export const parseEnvelope = (bytes: Buffer): Envelope | HessianFault | undefined => {
  const cursor = new Cursor(bytes, 0, MAX_ENVELOPE_BYTES);
  const kind = cursor.u8();
  if (cursor.state === 'ok' && kind !== CALL_1 && kind !== HESSIAN_2) return 'hessian_magic';
  const major = cursor.u8();
  if (cursor.state === 'ok' && major !== 2 && (major !== 1 || kind !== CALL_1)) return 'hessian_magic';
  cursor.u8();
  const envelope = kind === CALL_1 ? parseCall1(cursor, bytes, major === 2 ? 2 : 1) : parseCall2(cursor, bytes);
  if (cursor.state === 'ok') return envelope;
  return cursor.state === 'truncated' ? 'hessian_too_long' : undefined;
};

/** The version of the reply that the sender of such a call reads, as far as it can be told. */
export const replyVersion = (bytes: Buffer): 1 | 2 => (bytes[0] === CALL_1 && bytes[1] === 1 ? 1 : 2);

const parseCall1 = (cursor: Cursor, bytes: Buffer, version: 1 | 2): Envelope | HessianFault | undefined => {
  for (;;) {
    const tag = cursor.u8();
    if (cursor.state !== 'ok') return undefined;
    if (tag === METHOD) return named(cursor, bytes, cursor.u16(), version);
    if (tag !== HEADER) return 'hessian_magic';
    if (!skipText(cursor, cursor.u16())) return 'hessian_header';
    const fault = skipValue(cursor);
    if (fault !== '') return fault;
  }
};

const parseCall2 = (cursor: Cursor, bytes: Buffer): Envelope | HessianFault | undefined => {
  const tag = cursor.u8();
  if (cursor.state !== 'ok') return undefined;
  if (tag === ENVELOPE) return { version: 2, method: '' };
  if (tag !== CALL_2) return 'hessian_magic';
  const size = cursor.u8();
  if (cursor.state !== 'ok') return undefined;
  if (size < 0x20) return named(cursor, bytes, size, 2);
  if (size >= 0x30 && size < 0x34) return named(cursor, bytes, (size - 0x30) * 256 + cursor.u8(), 2);
  // A name in several pieces (`R`) is longer than the limit, or ought not to be in pieces.
  return size === LONG_STRING ? named(cursor, bytes, cursor.u16(), 2) : 'hessian_name';
};

const named = (cursor: Cursor, bytes: Buffer, length: number, version: 1 | 2): Envelope | HessianFault | undefined => {
  if (cursor.state !== 'ok') return undefined;
  if (length < 1 || length > MAX_NAME_LENGTH) return 'hessian_name';
  const method = readText(cursor, length, bytes);
  return method === undefined ? 'hessian_name' : { version, method };
};
