/** The query parameters that several requests share. */

import type { UnknownFields } from '../../api/admission.ts';
import type { WriteOptions } from './resource-writer.ts';
import { ApiError } from './status.ts';

/** A query as fastify reads it: a parameter that is there twice is a list. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;

export const parameter = (query: Query, name: string): string | undefined => {
  const value = query[name];
  return Array.isArray(value) ? value.at(-1) : value;
};

/** `watch=1`, `watch=true` or just `watch`. */
export const flagParameter = (query: Query, name: string): boolean => {
  const value = parameter(query, name);
  return value !== undefined && value !== 'false' && value !== '0';
};

/** @throws ApiError */
export const countParameter = (query: Query, name: string): number | undefined => {
  const value = parameter(query, name);
  if (value === undefined || value === '') return undefined;
  if (!/^\d{1,9}$/.test(value)) throw new ApiError('BadRequest', `${name}: must be a whole number, not "${value}"`);
  return Number(value);
};

/** @throws ApiError */
export const writeOptions = (query: Query): WriteOptions => {
  const fieldValidation = parameter(query, 'fieldValidation') ?? 'Strict';
  if (!['Strict', 'Warn', 'Ignore'].includes(fieldValidation))
    throw new ApiError('BadRequest', `fieldValidation: must be one of Strict, Warn, Ignore, not "${fieldValidation}"`);
  return { dryRun: isDryRun(query), unknownFields: fieldValidation as UnknownFields };
};

/** @throws ApiError */
export const isDryRun = (query: Query): boolean => {
  const dryRun = parameter(query, 'dryRun');
  if (dryRun !== undefined && dryRun !== 'All')
    throw new ApiError('BadRequest', `dryRun: must be All, not "${dryRun}"`);
  return dryRun === 'All';
};
