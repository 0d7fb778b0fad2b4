import type { PathNormalization } from '../../api/snapshot.ts';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';

const BAD_ESCAPE = proxyError('DOWNSTREAM_PROTOCOL', 'bad_path_escape');
const NUL = proxyError('DOWNSTREAM_PROTOCOL', 'nul_in_path');
const DOT_SEGMENT_PARAMETER = proxyError('DOWNSTREAM_PROTOCOL', 'dot_segment_parameter');

const SLASH = 47;
const DOT = 46;
const QUESTION_MARK = 63;
/** What stays as it is and needs no second look: pchar without escapes, and `/` (RFC 3986 §3.3). 1: yes. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, code) =>
  /[!$&'()*+,\-./0-9:;=@A-Z_a-z~]/.test(String.fromCharCode(code)) ? 1 : 0,
);
const UNRESERVED = /[-.0-9A-Z_a-z~]/;
/** An escape, or the beginning of what is none; and what may not stand in a path. */
const TO_REWRITE = /%([0-9A-Fa-f]{2})?|[^!$&'()*+,\-./0-9:;=@A-Z_a-z~]/g;
/** An escape that is none. */
const NO_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const ESCAPED_SLASH = /^%(?:2F|5C)$/;
/** Servers that take parameters off a segment (Tomcat, Jetty) would see `..` after we had not. */
const DOTS_WITH_PARAMETER = /^\.\.?(?:;|%3B)/;

/**
 * The normal form of a request target in origin-form, by which it is matched and in which it goes on; or why there is none. The query stays
 * as it is. Normal forms are their own normal form, and an ordinary target is returned as it is, after one look at each character.
 *
 * `NONE`: everything stays. `BASE` (RFC 3986 §6.2.2): escaped letters, digits and `-._~` as themselves, other escapes in upper case, what may not
 * stand in a path escaped, `\` as `/`, segments `.` and `..` resolved. `MERGE_SLASHES`: before that, several slashes become one.
 * `DECODE_AND_MERGE_SLASHES`: before that, `%2F` and `%5C` become slashes. Istio: pathNormalization. Envoy: normalize_path, merge_slashes,
 * path_with_escaped_slashes_action UNESCAPE_AND_FORWARD; Envoy merges slashes last, and leaves escapes in the case that they have.
 */
export const normalPath = (target: string, normalization: PathNormalization): string | ProxyError => {
  if (normalization === 'NONE' || isOrdinary(target)) return target;
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  if (NO_ESCAPE.test(path)) return BAD_ESCAPE;
  if (path.includes('%00')) return NUL;
  const decodesSlashes = normalization === 'DECODE_AND_MERGE_SLASHES';
  const spelled = path.replace(TO_REWRITE, text => spell(text, decodesSlashes));
  const normal = withoutDotSegments(normalization === 'BASE' ? spelled : spelled.replace(/\/{2,}/g, '/'));
  if (typeof normal !== 'string' || at < 0) return normal;
  return normal + target.slice(at);
};

/** Nothing in it has to be rewritten, whatever the settings. May be false for a few that are normal all the same. */
const isOrdinary = (target: string): boolean => {
  let previous = 0;
  for (let i = 0; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code === QUESTION_MARK) return true;
    if (PLAIN[code] !== 1) return false;
    if (previous === SLASH && (code === SLASH || code === DOT)) return false;
    previous = code;
  }
  return true;
};

/** One spelling for an escape, or for a character that may not stand in a path. */
const spell = (text: string, decodesSlashes: boolean): string => {
  if (text === '\\') return '/';
  if (text.length === 1) return `%${text.charCodeAt(0).toString(16).toUpperCase()}`;
  const upperCase = text.toUpperCase();
  if (decodesSlashes && ESCAPED_SLASH.test(upperCase)) return '/';
  const character = String.fromCharCode(Number.parseInt(text.slice(1), 16));
  return UNRESERVED.test(character) ? character : upperCase;
};

/** RFC 3986 §5.2.4. `..` at the root stays there. */
const withoutDotSegments = (path: string): string | ProxyError => {
  if (!path.includes('/.')) return path;
  const segments = path.slice(1).split('/');
  const kept: string[] = [];
  for (const [i, segment] of segments.entries()) {
    if (DOTS_WITH_PARAMETER.test(segment)) return DOT_SEGMENT_PARAMETER;
    if (segment !== '.' && segment !== '..') {
      kept.push(segment);
      continue;
    }
    if (segment === '..') kept.pop();
    if (i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
};
