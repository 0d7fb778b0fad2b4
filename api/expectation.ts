/** What a schema asks for, as the end of the sentence "must be …". */

import type { Schema } from './schema.ts';

export const expectation = (schema: Schema): string => {
  if (schema['x-outrider-expects'] !== undefined) return schema['x-outrider-expects'];
  if (schema.enum !== undefined) {
    const values = schema.enum.map(value => JSON.stringify(value));
    return values.length === 1 ? values.join() : `one of ${values.join(', ')}`;
  }
  switch (schema.type) {
    case 'object':
      return `an object${between(schema.minProperties, schema.maxProperties, 'entry', 'entries')}`;
    case 'array':
      return `a list${between(schema.minItems, schema.maxItems, 'entry', 'entries')}`;
    case 'string':
      return `a string${between(schema.minLength, schema.maxLength, 'character', 'characters')}`;
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `an integer${range(schema)}`;
    case 'number':
      return `a number${range(schema)}`;
    case undefined:
      return 'a value';
    default:
      return schema.type satisfies never;
  }
};

/** The value that stood there instead, short. */
export const describeValue = (value: unknown): string => {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

const range = ({ minimum, maximum }: Schema): string => {
  const from = minimum !== undefined && minimum > -Number.MAX_SAFE_INTEGER;
  const to = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (from && to) return ` from ${minimum} to ${maximum}`;
  if (from) return ` of at least ${minimum}`;
  return to ? ` of at most ${maximum}` : '';
};

const between = (least: number | undefined, most: number | undefined, one: string, many: string): string => {
  if (least !== undefined && most !== undefined) return ` of ${least} to ${most} ${many}`;
  if (least !== undefined) return ` of at least ${least} ${least === 1 ? one : many}`;
  return most === undefined ? '' : ` of at most ${most} ${many}`;
};
