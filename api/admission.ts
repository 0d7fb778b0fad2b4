/**
 * What becomes of an object that someone wrote: defaults are filled in, every wrong field is named, and fields without
 * effect are warned about. The same for REST, the CLI and objects that the control plane makes itself.
 */

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { isClose } from '../common/is-close.ts';
import { describeValue, expectation } from './expectation.ts';
import { formatPath, type PathStep, pointerSteps } from './field-path.ts';
import { type ApiObject, METADATA_SCHEMA } from './object.ts';
import { apiVersionOf, type Cause, type ResourceKind } from './resource-kind.ts';
import { object, required, type Schema, text } from './schema.ts';

/** What to do about fields that nobody knows. Kubernetes: the query parameter fieldValidation. */
export type UnknownFields = 'Strict' | 'Warn' | 'Ignore';

export interface Admission {
  /** With defaults; only meaningful when there is no cause. */
  readonly object: ApiObject;
  /** Empty when the object is right. */
  readonly causes: readonly Cause[];
  /** For `Warning` headers. */
  readonly warnings: readonly string[];
}

/** The whole object as a schema. */
export const objectSchema = (
  kind: Pick<ResourceKind, 'kind' | 'group' | 'version' | 'description' | 'schema' | 'required'>,
): Schema => {
  const members = Object.entries(kind.schema).map(([name, schema]) => [
    name,
    kind.required.includes(name) ? required(schema) : schema,
  ]);
  return object(kind.description, {
    apiVersion: required(text(`\`${apiVersionOf(kind)}\``, { enum: [apiVersionOf(kind)] })),
    kind: required(text(`\`${kind.kind}\``, { enum: [kind.kind] })),
    metadata: required(METADATA_SCHEMA),
    ...Object.fromEntries(members),
  });
};

/** Owned by whoever writes objects; holds the compiled schemas. */
export class Admitter {
  readonly #ajv = new Ajv({ allErrors: true, verbose: true, useDefaults: true, strict: false, addUsedSchema: false });
  readonly #compiled = new Map<string, { readonly schema: Schema; readonly validate: ValidateFunction }>();

  /** `input` is not changed. */
  admit(kind: ResourceKind, input: object, unknownFields: UnknownFields = 'Strict'): Admission {
    const { schema, validate } = this.#schemaOf(kind);
    const candidate = withoutNulls(input) as ApiObject;
    const causes: Cause[] = [];
    const warnings: string[] = [];
    validate(candidate);
    for (const error of validate.errors ?? []) {
      const cause = causeOf(error, candidate);
      if (cause === undefined) continue;
      if (error.keyword === 'additionalProperties' && unknownFields !== 'Strict') {
        delete (error.data as Record<string, unknown>)[error.params.additionalProperty];
        if (unknownFields === 'Warn') warnings.push(`unknown field "${cause.field}"`);
      } else if (!causes.some(other => other.field === cause.field)) causes.push(cause);
    }
    if (causes.length > 0) return { object: candidate, causes, warnings };
    collectIgnored(schema, candidate, [], warnings);
    causes.push(...(kind.check?.(candidate) ?? []));
    warnings.push(...(kind.warn?.(candidate) ?? []));
    return { object: candidate, causes, warnings };
  }

  #schemaOf(kind: ResourceKind) {
    const key = `${apiVersionOf(kind)} ${kind.kind}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const schema = objectSchema(kind);
    const compiled = { schema, validate: this.#ajv.compile(forAjv(schema) as object) };
    this.#compiled.set(key, compiled);
    return compiled;
  }
}

/** Kubernetes' "number or name" in the words of JSON Schema. */
const forAjv = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(forAjv);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, forAjv(value)]));
  return 'x-kubernetes-int-or-string' in copy
    ? { ...copy, type: ['integer', 'string'], minimum: 1, maximum: 65_535, minLength: 1, maxLength: 63 }
    : copy;
};

/** A deep copy in which members that are null are absent, as Kubernetes reads them. */
const withoutNulls = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([name, member]) => [name, withoutNulls(member)]),
  );
};

/** Undefined for errors that only say that another one is there. */
const causeOf = (error: ErrorObject, root: object): Cause | undefined => {
  const steps = pointerSteps(error.instancePath, root);
  const schema = error.parentSchema as Schema;
  if (error.keyword === 'propertyNames') return undefined;
  if (error.propertyName !== undefined)
    return {
      field: formatPath([...steps, error.propertyName]),
      message: `the name must be ${expectation(schema)}`,
      reason: 'FieldValueInvalid',
    };
  if (error.keyword === 'required') {
    const name = error.params.missingProperty as string;
    const message = `must be set: ${expectation(schema.properties?.[name] ?? {})}`;
    return { field: formatPath([...steps, name]), message, reason: 'FieldValueRequired' };
  }
  if (error.keyword === 'additionalProperties') {
    const name = error.params.additionalProperty as string;
    return { field: formatPath([...steps, name]), message: unknownField(name, schema), reason: 'FieldValueForbidden' };
  }
  const message = `must be ${expectation(schema)}, not ${describeValue(error.data)}`;
  const reason =
    error.keyword === 'type'
      ? 'FieldValueTypeInvalid'
      : error.keyword === 'enum'
        ? 'FieldValueNotSupported'
        : 'FieldValueInvalid';
  return { field: formatPath(steps), message, reason };
};

const unknownField = (name: string, schema: Schema): string => {
  const known = Object.entries(schema.properties ?? {})
    .filter(([, { 'x-outrider-ignored': instead }]) => instead === undefined)
    .map(([field]) => field);
  const close = known.find(field => isClose(field.toLowerCase(), name.toLowerCase()));
  if (close !== undefined) return `must be absent: there is no such field; did you mean "${close}"?`;
  return known.length === 0
    ? 'must be absent: there is no such field'
    : `must be absent: there is no such field; the fields here are ${known.join(', ')}`;
};

/** Warns about every field of the object that the schema knows and nothing uses. */
const collectIgnored = (schema: Schema, value: unknown, steps: readonly PathStep[], warnings: string[]): void => {
  if (schema['x-outrider-ignored'] !== undefined) {
    warnings.push(`${formatPath(steps)} is accepted and ignored: ${schema['x-outrider-ignored']}`);
    return;
  }
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) collectIgnored(schema.items ?? {}, item, [...steps, i], warnings);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      const inner = schema.properties?.[name];
      if (inner !== undefined) collectIgnored(inner, member, [...steps, name], warnings);
    }
  }
};
