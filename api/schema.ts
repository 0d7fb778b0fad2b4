/**
 * How the fields of a resource are described: JSON Schema, with what Kubernetes adds to it (merge keys) and three words of
 * our own. One description serves validation, defaults, error sentences, warnings, OpenAPI and `docs/configuration.md`.
 */

import { DURATION_PATTERN } from '../common/duration.ts';

export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** The values of a map, or false: fields that are not listed are errors. */
  readonly additionalProperties?: Schema | boolean;
  readonly propertyNames?: Schema;
  readonly items?: Schema;
  readonly enum?: readonly (string | number | boolean)[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  /** Set when the field is absent and its parent is there; stored, so that readers see it. */
  readonly default?: string | number | boolean | object;
  readonly 'x-kubernetes-int-or-string'?: true;
  /** A list whose entries are told apart by these fields, as in strategic merge patches. */
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-patch-strategy'?: 'merge';
  readonly 'x-kubernetes-patch-merge-key'?: string;
  /** What the value must be, as the end of the sentence "must be …". */
  readonly 'x-outrider-expects'?: string;
  /** Known upstream and without effect here: accepted with a warning. The text says what happens instead. */
  readonly 'x-outrider-ignored'?: string;
  /** What holds while the field is absent, where that is not stored (policies, which a wider policy may fill). */
  readonly 'x-outrider-default'?: string;
}

/** A field of an object: plain, or one that must be there. */
type Field = Schema | { readonly required: Schema };

const isRequired = (field: Field): field is { readonly required: Schema } =>
  'required' in field && !Array.isArray(field.required);

export const required = (schema: Schema): Field => ({ required: schema });

/** An object with exactly these fields. */
export const object = (description: string, fields: Readonly<Record<string, Field>>, more: Schema = {}): Schema => {
  const properties: Record<string, Schema> = {};
  const names: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    properties[name] = isRequired(field) ? field.required : field;
    if (isRequired(field)) names.push(name);
  }
  return {
    type: 'object',
    description,
    properties,
    ...(names.length > 0 ? { required: names } : {}),
    additionalProperties: false,
    ...more,
  };
};

/** An object whose keys are free, with values of one kind. */
export const map = (description: string, values: Schema, more: Schema = {}): Schema => ({
  type: 'object',
  description,
  additionalProperties: values,
  ...more,
});

export const list = (description: string, items: Schema, more: Schema = {}): Schema => ({
  type: 'array',
  description,
  items,
  ...more,
});

export const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });

export const choice = (description: string, values: readonly string[], more: Schema = {}): Schema => ({
  type: 'string',
  description,
  enum: values,
  ...more,
});

export const integer = (description: string, minimum: number, maximum: number, more: Schema = {}): Schema => ({
  type: 'integer',
  description,
  minimum,
  maximum,
  ...more,
});

export const flag = (description: string, more: Schema = {}): Schema => ({ type: 'boolean', description, ...more });

export const duration = (description: string, more: Schema = {}): Schema => ({
  type: 'string',
  description,
  pattern: DURATION_PATTERN,
  'x-outrider-expects': 'a duration such as "10s", "500ms" or "1h30m"',
  ...more,
});

/** TCP port. */
export const port = (description: string, more: Schema = {}): Schema => integer(description, 1, 65_535, more);

export const labelName = (description: string, more: Schema = {}): Schema =>
  text(description, {
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    maxLength: 63,
    'x-outrider-expects': 'at most 63 lower-case letters, digits and "-", beginning and ending with a letter or digit',
    ...more,
  });

export const subdomain = (description: string, more: Schema = {}): Schema =>
  text(description, {
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
    maxLength: 253,
    'x-outrider-expects':
      'at most 253 lower-case letters, digits, "-" and ".", each part beginning and ending with a letter or digit',
    ...more,
  });

/** A field of the upstream schema that has no effect here. `instead` ends the sentence "… is accepted and ignored: ". */
export const ignored = (type: NonNullable<Schema['type']>, instead: string): Schema => ({
  type,
  description: `Accepted and ignored: ${instead}.`,
  ...(type === 'object' ? { additionalProperties: true } : {}),
  'x-outrider-ignored': instead,
});
