/** JSON merge patch (RFC 7386), and the strategic merge patch that Kubernetes made of it for lists whose entries have keys. */

import { isDeepStrictEqual } from 'node:util';
import type { Schema } from '../../api/schema.ts';
import { ApiError } from './status.ts';

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The patched copy: null removes a member, objects are merged, anything else replaces. RFC 7386 §2. */
export const applyMergePatch = (target: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = applyMergePatch(result[name], value);
  }
  return result;
};

/**
 * As a merge patch, but lists with `x-kubernetes-patch-strategy: merge` are merged entry by entry, and `$patch`, `$retainKeys`,
 * `$setElementOrder/…` and `$deleteFromPrimitiveList/…` mean what they mean in Kubernetes.
 */
export const applyStrategicPatch = (target: unknown, patch: unknown, schema: Schema | undefined): unknown => {
  if (!isObject(patch)) return patch;
  if (patch.$patch === 'delete') return undefined;
  if (patch.$patch === 'replace') return withoutDirectives(patch);
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  if (Array.isArray(patch.$retainKeys))
    for (const name of Object.keys(result)) if (!patch.$retainKeys.includes(name)) delete result[name];
  for (const [name, value] of Object.entries(patch)) {
    const [directive, list = ''] = name.split('/');
    if (directive === '$deleteFromPrimitiveList' && Array.isArray(result[list]) && Array.isArray(value))
      result[list] = result[list].filter(item => !value.includes(item));
    if (name.startsWith('$')) continue;
    const inner = memberSchema(schema, name);
    const next =
      value === null
        ? undefined
        : Array.isArray(value)
          ? mergeList(result[name], value, patch[`$setElementOrder/${name}`], inner)
          : applyStrategicPatch(result[name], value, inner);
    if (next === undefined) delete result[name];
    else result[name] = next;
  }
  for (const [name, order] of Object.entries(patch)) {
    const list = name.startsWith('$setElementOrder/') ? name.slice('$setElementOrder/'.length) : undefined;
    if (list !== undefined && !(list in patch) && isMergedList(memberSchema(schema, list)))
      result[list] = mergeList(result[list], [], order, memberSchema(schema, list));
  }
  return result;
};

const memberSchema = (schema: Schema | undefined, name: string): Schema | undefined =>
  schema?.properties?.[name] ??
  (typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined);

const isMergedList = (schema: Schema | undefined): boolean => schema?.['x-kubernetes-patch-strategy'] === 'merge';

const mergeList = (
  target: unknown,
  patch: readonly unknown[],
  order: unknown,
  schema: Schema | undefined,
): unknown[] => {
  const entries = patch.filter(entry => !isObject(entry) || !('$patch' in entry && Object.keys(entry).length === 1));
  if (!isMergedList(schema) || entries.length < patch.length) return entries.map(withoutDirectives);
  const result: unknown[] = Array.isArray(target) ? [...target] : [];
  for (const entry of entries) {
    const key = keyOf(entry, schema!);
    const at = result.findIndex(present => isDeepStrictEqual(keyOf(present, schema!), key));
    if (isObject(entry) && entry.$patch === 'delete') {
      if (at >= 0) result.splice(at, 1);
    } else if (at >= 0) result[at] = applyStrategicPatch(result[at], entry, schema?.items);
    else result.push(withoutDirectives(entry));
  }
  if (!Array.isArray(order)) return result;
  const places = order.map(entry => keyOf(entry, schema!));
  const place = (entry: unknown) => {
    const index = places.findIndex(key => isDeepStrictEqual(key, keyOf(entry, schema!)));
    return index < 0 ? places.length : index;
  };
  return result.toSorted((a, b) => place(a) - place(b));
};

/** What tells an entry from the others; the merge key itself must be there, the others may be left to their defaults. */
const keyOf = (entry: unknown, schema: Schema): unknown[] => {
  const mergeKey = schema['x-kubernetes-patch-merge-key'] ?? '';
  if (!isObject(entry) || entry[mergeKey] === undefined)
    throw new ApiError('BadRequest', `strategic merge patch: every entry of this list must have "${mergeKey}"`);
  return (schema['x-kubernetes-list-map-keys'] ?? [mergeKey]).map(
    name => entry[name] ?? schema.items?.properties?.[name]?.default,
  );
};

const withoutDirectives = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => !name.startsWith('$') && member !== null)
      .map(([name, member]) => [name, withoutDirectives(member)]),
  );
};
