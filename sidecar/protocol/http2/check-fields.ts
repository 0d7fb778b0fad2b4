/**
 * What a field of HTTP/2 may look like (RFC 9113 §8.2, RFC 9110 §5). Stricter than the RFC where HTTP/1 could read it in two ways:
 * control characters are refused, so nothing can be smuggled when the message goes on as HTTP/1.
 */

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;
/** As in HTTP/1: no white space, no fragment. */
const PATH = /^(?:\/[\x21\x22\x24-\x7e\x80-\xff]*|\*)$/;
/** As in HTTP/1: host[:port] without user information; no comma, so that two can't be joined into one. */
const AUTHORITY = /^(?:[A-Za-z0-9\-._~%!$&'()*+;=]*|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?$/;
const CONNECTION_SPECIFIC = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

export const isFieldName = (name: string): boolean => NAME.test(name);
/** No control characters but HTAB, nothing above latin1, no white space at either end. */
export const isFieldValue = (value: string): boolean => {
  const { length } = value;
  if (length === 0) return true;
  if (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(length - 1))) return false;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if ((code < 32 && code !== 9) || code === 127 || code > 255) return false;
  }
  return true;
};
export const isMethod = (value: string): boolean => METHOD.test(value);
export const isPath = (value: string): boolean => value.length <= 16_384 && PATH.test(value);
export const isAuthority = (value: string): boolean => value.length <= 1_024 && AUTHORITY.test(value);

const isBlank = (code: number): boolean => code === 32 || code === 9;

/** '' when the field may stand in an HTTP/2 message, else a detail. */
export const fieldProblem = (name: string, value: string): string => {
  if (!isFieldName(name)) return 'field_name';
  if (!isFieldValue(value)) return 'field_value';
  if (CONNECTION_SPECIFIC.has(name)) return 'connection_field';
  if (name === 'te' && value.toLowerCase() !== 'trailers') return 'te_field';
  return '';
};
