import type { Cursor } from '../thrift/cursor.ts';

/**
 * Reads so many characters of UTF-8; lengths in Hessian count UTF-16 units, each in one to three bytes. Undefined: more bytes must come, or (the
 * cursor is still ok) these are no characters. Hessian 2.0 §3.3 (string), Hessian 1.0.2 §4.9.
 */
export const readText = (cursor: Cursor, length: number, bytes: Buffer): string | undefined => {
  const from = cursor.at;
  return skipText(cursor, length) && cursor.state === 'ok' ? bytes.toString('utf8', from, cursor.at) : undefined;
};

/** Passes over so many characters. False: these are none. Where bytes are missing, the cursor says so. */
export const skipText = (cursor: Cursor, length: number): boolean => {
  for (let left = length; left > 0 && cursor.state === 'ok'; left--) {
    const first = cursor.u8();
    if (first < 0x80) continue;
    if (first < 0xc0 || first >= 0xf8) return false;
    cursor.skip(first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3);
  }
  return true;
};
