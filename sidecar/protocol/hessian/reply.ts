import { Cursor } from '../thrift/cursor.ts';
import { MAX_REPLY_BYTES } from './limits.ts';
import { skipValue } from './skip-value.ts';
import { readText, skipText } from './text.ts';

/** `unknown_method`: the app has no such method or object. */
export type HessianResult = 'reply' | 'fault' | 'unknown_method';

const REPLY_1 = 0x72; // r
const FAULT_1 = 0x66; // f
const HEADER = 0x48; // H
const HESSIAN_2 = 0x48; // H
const FAULT_2 = 0x46; // F
const UNKNOWN: ReadonlySet<string> = new Set(['NoSuchMethodException', 'NoSuchObjectException']);

/**
 * What a reply says at its beginning: `r x01 x00 [H name value]… f …` or `H x02 x00 F …` is a fault, and its first pair tells which one. On doubt it
 * is a reply. Undefined while more bytes must come; `last`: none will. Hessian 1.0.2 §6, Hessian 2.0 §4.
 */
export const parseReply = (bytes: Buffer, last: boolean): HessianResult | undefined => {
  const cursor = new Cursor(bytes, 0, MAX_REPLY_BYTES);
  const missing = (): boolean => cursor.state === 'more' && !last;
  const kind = cursor.u8();
  cursor.skip(2);
  let tag = cursor.u8();
  while (kind === REPLY_1 && tag === HEADER && cursor.state === 'ok') {
    if (!skipText(cursor, cursor.u16()) || skipValue(cursor) !== '') return 'reply';
    tag = cursor.u8();
  }
  if (cursor.state !== 'ok') return missing() ? undefined : 'reply';
  const isFault = (kind === REPLY_1 && tag === FAULT_1) || (kind === HESSIAN_2 && tag === FAULT_2);
  if (!isFault) return 'reply';
  const code = kind === REPLY_1 ? code1(cursor, bytes) : code2(cursor, bytes);
  if (missing()) return undefined;
  return UNKNOWN.has(code) ? 'unknown_method' : 'fault';
};

/** Of `S "code" S "…"`; '' when it is something else. */
const code1 = (cursor: Cursor, bytes: Buffer): string => {
  const string = (): string => (cursor.u8() === 0x53 ? (readText(cursor, cursor.u16(), bytes) ?? '') : '');
  return string() === 'code' ? string() : '';
};

/** Of a map that begins with `"code"` and a short string. */
const code2 = (cursor: Cursor, bytes: Buffer): string => {
  const string = (): string => {
    const size = cursor.u8();
    return size < 0x20 ? (readText(cursor, size, bytes) ?? '') : '';
  };
  return cursor.u8() === 0x48 && string() === 'code' ? string() : '';
};
