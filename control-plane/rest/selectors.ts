/** Selectors as query parameters: `labelSelector` in full, `fieldSelector` for name and namespace. */

import type { LabelFilter } from '../store/resource-store.ts';
import { ApiError } from './status.ts';

type Labels = Readonly<Record<string, string>>;

const KEY = '[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?';
const VALUE = '[-A-Za-z0-9_.]*';
const EQUALITY = new RegExp(`^(?<key>${KEY})\\s*(?<op>=|==|!=)\\s*(?<value>${VALUE})$`);
const SET = new RegExp(`^(?<key>${KEY})\\s+(?<op>in|notin)\\s*\\((?<values>[^()]*)\\)$`);
const EXISTS = new RegExp(`^(?<not>!?)\\s*(?<key>${KEY})$`);

/** Undefined for an absent or empty selector. @throws ApiError */
export const parseLabelSelector = (text: string | undefined): LabelFilter | undefined => {
  if (text === undefined || text.trim() === '') return undefined;
  // A comma within parentheses belongs to the set.
  const filters = text.split(/,(?![^()]*\))/).map(part => parseRequirement(part.trim()));
  return labels => filters.every(filter => filter(labels));
};

const parseRequirement = (text: string): LabelFilter => {
  const equality = EQUALITY.exec(text)?.groups;
  if (equality !== undefined) {
    const { key = '', op, value } = equality;
    return op === '!=' ? (labels: Labels) => labels[key] !== value : (labels: Labels) => labels[key] === value;
  }
  const set = SET.exec(text)?.groups;
  if (set !== undefined) {
    const { key = '', op, values = '' } = set;
    const members = new Set(values.split(',').map(value => value.trim()));
    const inSet = (labels: Labels) => labels[key] !== undefined && members.has(labels[key]);
    return op === 'in' ? inSet : labels => !inSet(labels);
  }
  const exists = EXISTS.exec(text)?.groups;
  if (exists !== undefined) {
    const { key = '', not } = exists;
    return not === '!' ? labels => labels[key] === undefined : labels => labels[key] !== undefined;
  }
  throw new ApiError(
    'BadRequest',
    `labelSelector: "${text}" must be like app=web, app!=web, "app in (web,api)", "app notin (web)", app or !app`,
  );
};

export interface FieldFilter {
  readonly name?: string;
  readonly namespace?: string;
}

/** @throws ApiError */
export const parseFieldSelector = (text: string | undefined): FieldFilter => {
  const filter: { name?: string; namespace?: string } = {};
  for (const part of (text ?? '').split(',').filter(each => each.trim() !== '')) {
    const [, field, value] = /^\s*metadata\.(name|namespace)\s*==?\s*(\S+)\s*$/.exec(part) ?? [];
    if (field === undefined || value === undefined)
      throw new ApiError(
        'BadRequest',
        `fieldSelector: "${part}" must be metadata.name=NAME or metadata.namespace=NAMESPACE`,
      );
    filter[field as 'name' | 'namespace'] = value;
  }
  return filter;
};
