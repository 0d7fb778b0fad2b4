import type { Cause } from './resource-kind.ts';
import type { HeaderModifier } from './route-parts.ts';

/**
 * Headers that no filter may touch: those that say where a message ends or belong to one connection (RFC 9110 §7.6.1, RFC 9113 §8.2.2), the
 * authority, which is no header inside the mesh, and the mesh's own. Lower-case.
 */
const UNTOUCHABLE =
  /^(?::.*|host|connection|keep-alive|proxy-connection|transfer-encoding|content-length|te|trailer|upgrade|(?:x-)?outrider-.*)$/;

/** `name`: lower-case. */
export const isUntouchable = (name: string): boolean => UNTOUCHABLE.test(name);

/** `check` for a header modifier of a filter of this type. Setting `Host` of a request is another way to rewrite its host name. */
export const checkHeaderNames = (modifier: HeaderModifier, type: string, field: string): Cause[] => {
  const check = (name: string, at: string, allowHost = false): Cause[] => {
    const lower = name.toLowerCase();
    if (!isUntouchable(lower) || (allowHost && lower === 'host')) return [];
    const why =
      lower === 'host'
        ? 'it can only be set, and only in requests'
        : /outrider-/.test(lower)
          ? "it is the mesh's own"
          : 'it belongs to the connection or says where the message ends';
    return [{ field: at, message: `must not be ${name}: ${why}`, reason: 'FieldValueForbidden' }];
  };
  const isRequest = type === 'RequestHeaderModifier';
  return [
    ...(modifier.set ?? []).flatMap(({ name }, i) => check(name, `${field}.set[${i}].name`, isRequest)),
    ...(modifier.add ?? []).flatMap(({ name }, i) => check(name, `${field}.add[${i}].name`)),
    ...(modifier.remove ?? []).flatMap((name, i) => check(name, `${field}.remove[${i}]`)),
  ];
};
