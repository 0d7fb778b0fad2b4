/** Every field of a kind as one flat list: for `docs/configuration.md`, the pages under `/docs`, and the test that compares them. */

import type { ResourceKind } from './resource-kind.ts';
import type { Schema } from './schema.ts';

export interface FieldDescription {
  /** `spec.rules[].matches[].path.type`; `<name>` stands for the keys of a map. */
  readonly path: string;
  /** `duration`, `integer 0–100`, `"A" \| "B"`, … */
  readonly type: string;
  /** '' when there is none. */
  readonly default: string;
  readonly required: boolean;
  readonly description: string;
}

/** In the order of the schema, without apiVersion, kind and metadata. */
export const listFields = (kind: Pick<ResourceKind, 'schema' | 'required'>): FieldDescription[] =>
  Object.entries(kind.schema).flatMap(([name, schema]) => collect(name, schema, kind.required.includes(name)));

const collect = (path: string, schema: Schema, required: boolean): FieldDescription[] => {
  const own = {
    path,
    type: typeName(schema),
    default: defaultText(schema),
    required,
    description: schema.description ?? '',
  };
  return [own, ...members(path, schema)];
};

const members = (path: string, schema: Schema): FieldDescription[] => {
  if (schema.items !== undefined) return members(`${path}[]`, schema.items);
  if (typeof schema.additionalProperties === 'object') return members(`${path}.<name>`, schema.additionalProperties);
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
    collect(`${path}.${name}`, inner, schema.required?.includes(name) ?? false),
  );
};

const typeName = (schema: Schema): string => {
  if (schema['x-kubernetes-int-or-string'] === true) return 'integer or string';
  if (schema['x-outrider-expects']?.startsWith('a duration') === true) return 'duration';
  if (schema.enum !== undefined) return schema.enum.map(value => JSON.stringify(value)).join(' or ');
  if (schema.type === 'array') return `list of ${typeName(schema.items ?? {})}`;
  if (typeof schema.additionalProperties === 'object') return `map of ${typeName(schema.additionalProperties)}`;
  if (schema.type === 'integer' && schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER)
    return `integer ${schema.minimum}–${schema.maximum}`;
  return schema.type ?? 'any';
};

const defaultText = (schema: Schema): string => {
  if (schema['x-outrider-default'] !== undefined) return schema['x-outrider-default'];
  if (schema.default === undefined || (typeof schema.default === 'object' && Object.keys(schema.default).length === 0))
    return '';
  return `\`${JSON.stringify(schema.default)}\``;
};
