/** What changes from request to request in generated load. */

/**
 * `fixed`: every request alike. `traceparent`: a new one each (W3C Trace Context). `path`: a new path each.
 */
export type Variation = 'fixed' | 'traceparent' | 'path';

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** A valid traceparent, different for each `n` below 2^48. */
export const traceparent = (n: number): string => `00-5bd66ef5095369c7${hex(n + 1, 16)}-${hex(n + 1, 16)}-01`;

/** A path, different for each `n`. */
export const uniquePath = (n: number): string => `/items/${hex(n, 12)}`;
