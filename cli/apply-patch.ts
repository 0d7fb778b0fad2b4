/**
 * What `apply` sends for an object that is already there: a JSON merge patch that sets what the file says, and removes what the file
 * said the last time and no longer says. What others set in between stays. The last file is kept in kubectl's own annotation, so that
 * both can be used on the same object. Kubernetes: "Declarative management", three-way merge.
 */

import { isDeepStrictEqual } from 'node:util';

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object of a file, with itself in the annotation. */
export const withLastApplied = (object: Json): Json => {
  const { metadata, ...rest } = object as { readonly metadata: Json };
  const { [LAST_APPLIED]: _, ...annotations } = isObject(metadata.annotations) ? metadata.annotations : {};
  const plain = { ...rest, metadata: { ...metadata, annotations } };
  return {
    ...plain,
    metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: `${JSON.stringify(plain)}\n` } },
  };
};

/** What the object was applied from the last time; empty when it was not. */
export const lastApplied = (present: Json): Json => {
  const { annotations } = (isObject(present.metadata) ? present.metadata : {}) as { annotations?: Json };
  try {
    const value: unknown = JSON.parse(String(annotations?.[LAST_APPLIED]));
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
};

/** RFC 7386; `{}` when there is nothing to do. */
export const threeWayPatch = (last: unknown, wanted: Json, present: unknown): Json => {
  const patch: Record<string, unknown> = {};
  const now = isObject(present) ? present : {};
  const before = isObject(last) ? last : {};
  for (const name of Object.keys(before)) if (!(name in wanted) && name in now) patch[name] = null;
  for (const [name, value] of Object.entries(wanted)) {
    if (isObject(value) && isObject(now[name])) {
      const inner = threeWayPatch(before[name], value, now[name]);
      if (Object.keys(inner).length > 0) patch[name] = inner;
    } else if (!isDeepStrictEqual(value, now[name])) patch[name] = value;
  }
  return patch;
};
