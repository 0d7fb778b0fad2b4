/** The character classes of HTTP (RFC 9110 §5, RFC 3986 §3), and numbers without a second reading. Texts are latin1. */

const TOKEN = 1;
const FIELD_VALUE = 2;
const TARGET = 4;
/** uri-host [":" port], without userinfo; no comma, so that two hosts can't be joined into one. */
const AUTHORITY = /^(?:[A-Za-z0-9\-._~%!$&'()*+;=]*|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?$/;

/**
 * The classes of each character. A field value: HTAB, SP, VCHAR, obs-text. A target: no white space, control character or
 * fragment; bytes above ASCII are let through, because curl sends paths as UTF-8.
 */
const CLASSES = Uint8Array.from({ length: 256 }, (_, code) => {
  const visible = (code > 32 && code < 127) || code > 127;
  const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code));
  return (
    (token ? TOKEN : 0) |
    (visible || code === 9 || code === 32 ? FIELD_VALUE : 0) |
    (visible && code !== 35 ? TARGET : 0)
  );
});

const allAre = (kind: number, text: string, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) if ((CLASSES[text.charCodeAt(i)]! & kind) === 0) return false;
  return true;
};

export const isToken = (text: string): boolean => text !== '' && allAre(TOKEN, text, 0, text.length);
export const isTokenIn = (text: string, start: number, end: number): boolean =>
  end > start && allAre(TOKEN, text, start, end);
export const isFieldValue = (text: string): boolean => allAre(FIELD_VALUE, text, 0, text.length);
export const isFieldValueIn = (text: string, start: number, end: number): boolean =>
  allAre(FIELD_VALUE, text, start, end);
export const isTarget = (text: string): boolean => allAre(TARGET, text, 0, text.length);
export const isAuthority = (text: string): boolean => AUTHORITY.test(text);

/** A non-negative number up to 2^53 - 1 in plain decimal digits, without leading zeros; -1 when it is anything else. */
export const plainDecimal = (text: string): number => {
  const { length } = text;
  if (length === 0 || length > 16) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return (length > 1 && text.charCodeAt(0) === 48) || value > Number.MAX_SAFE_INTEGER ? -1 : value;
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
