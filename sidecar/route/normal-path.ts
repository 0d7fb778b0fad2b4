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
const TO_REWRITE = /%(?:[0-9A-Fa-f]{2})?|[^!$&'()*+,\-./0-9:;=@A-Z_a-z~]/g;
/** An escape that is none. */
const NO_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const HEX_DIGITS = '0123456789ABCDEFabcdef'.split('');
const LATIN1 = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

const escapeOf = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

/** The one spelling of each octet that is written as an escape or may not stand in a path bare, by how it is written. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ...LATIN1.map((character): [string, string] => [character, escapeOf(character)]),
  ...HEX_DIGITS.flatMap(high =>
    HEX_DIGITS.map((low): [string, string] => {
      const character = LATIN1[Number.parseInt(high + low, 16)] as string;
      return [`%${high}${low}`, UNRESERVED.test(character) ? character : escapeOf(character)];
    }),
  ),
  ['\\', '/'],
]);
const SPELLINGS_WITH_SLASHES: ReadonlyMap<string, string> = new Map([
  ...SPELLINGS,
  ...['%2F', '%2f', '%5C', '%5c'].map((slash): [string, string] => [slash, '/']),
]);

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
  const spellings = normalization === 'DECODE_AND_MERGE_SLASHES' ? SPELLINGS_WITH_SLASHES : SPELLINGS;
  const spelled = path.replace(TO_REWRITE, text => spellings.get(text) as string);
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

/** RFC 3986 §5.2.4. `..` at the root stays there. */
const withoutDotSegments = (path: string): string | ProxyError => {
  if (!path.includes('/.')) return path;
  const segments = path.slice(1).split('/');
  const kept: string[] = [];
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') {
      if (DOTS_WITH_PARAMETER.test(segment)) return DOT_SEGMENT_PARAMETER;
      kept.push(segment);
    }
  }
  const last = segments.at(-1);
  if (last === '.' || last === '..') kept.push('');
  return `/${kept.join('/')}`;
};
