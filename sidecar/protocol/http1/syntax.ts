/** The character classes of HTTP (RFC 9110 §5, RFC 3986 §3), and numbers without a second reading. Texts are latin1. */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Anything but HTAB, SP, VCHAR and obs-text. */
const NOT_FIELD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** No white space, control characters or fragment. Bytes above ASCII are let through: curl sends paths as UTF-8. */
const NOT_TARGET = /[^\x21\x22\x24-\x7e\x80-\xff]/;
/** uri-host [":" port], without userinfo; no comma, so that two hosts can't be joined into one. */
const AUTHORITY = /^(?:[A-Za-z0-9\-._~%!$&'()*+;=]*|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?$/;

export const isToken = (text: string): boolean => TOKEN.test(text);
export const isFieldValue = (text: string): boolean => !NOT_FIELD_VALUE.test(text);
export const isTarget = (text: string): boolean => !NOT_TARGET.test(text);
export const isAuthority = (text: string): boolean => AUTHORITY.test(text);

/** A non-negative number in plain decimal digits, at most 15 of them and without leading zeros; -1 when it is anything else. */
export const plainDecimal = (text: string): number => {
  const { length } = text;
  if (length === 0 || length > 15) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return length > 1 && text.charCodeAt(0) === 48 ? -1 : value;
};

/** A Content-Length by the letter of RFC 9110 §8.6, at most 2^53 - 1; -1 when it is none. */
export const contentLength = (text: string): number => {
  if (!/^[0-9]{1,32}$/.test(text)) return -1;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : -1;
};

/** The position after trailing white space is taken off `text[start…end]`. */
export const trimmedEnd = (text: string, start: number, end: number): number => {
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return end;
};

/** The position after leading white space in `text[start…end]`. */
export const trimmedStart = (text: string, start: number, end: number): number => {
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  return start;
};

const isBlank = (code: number): boolean => code === 32 || code === 9;
