/** What the schemas of HTTPRoute and GRPCRoute cannot say about what both have. Gateway API v1, its CEL rules and its text. */

import { compilePattern } from './pattern.ts';
import type { Cause } from './resource-kind.ts';
import type { BackendReference, HeaderMatch, ParentReference } from './route-parts.ts';

/** `check` for `parentRefs`: the core group must be written out. */
export const checkParentRefs = (parents: readonly ParentReference[]): Cause[] =>
  parents.flatMap((parent, i): Cause[] => {
    const field = `spec.parentRefs[${i}]`;
    if (parent.kind === 'Service' && parent.group !== '')
      return [
        {
          field: `${field}.group`,
          message: 'must be "" (the core group), because the kind is Service',
          reason: 'FieldValueInvalid',
        },
      ];
    const same = parents.findIndex(
      other =>
        other.name === parent.name &&
        other.kind === parent.kind &&
        other.namespace === parent.namespace &&
        other.port === parent.port &&
        other.sectionName === parent.sectionName,
    );
    return same < i
      ? [
          {
            field,
            message: `must be unique: it is the same as spec.parentRefs[${same}]`,
            reason: 'FieldValueDuplicate',
          },
        ]
      : [];
  });

/** `warn` for `parentRefs`: parents that are not Services. */
export const warnOfParentRefs = (parents: readonly ParentReference[]): string[] => {
  if (parents.length === 0) return ['spec.parentRefs: without a Service as parent the route has no effect'];
  return parents.flatMap((parent, i) =>
    parent.kind === 'Service' ? [] : [`spec.parentRefs[${i}]: ${parent.kind} has no effect here, only Service has`],
  );
};

/** `check` for one `backendRefs` entry. */
export const checkBackendRef = (
  backend: Pick<BackendReference<unknown>, 'group' | 'kind' | 'port'>,
  field: string,
): Cause[] => {
  if (backend.group !== '' || backend.kind !== 'Service')
    return [{ field: `${field}.kind`, message: 'must be Service, with group ""', reason: 'FieldValueNotSupported' }];
  if (backend.port === undefined)
    return [
      {
        field: `${field}.port`,
        message: 'must be a port of the Service, from 1 to 65535',
        reason: 'FieldValueRequired',
      },
    ];
  return [];
};

/** `check` for a regular expression. */
export const checkExpression = (value: string, field: string): Cause[] => {
  const compiled = compilePattern(value);
  return typeof compiled === 'string'
    ? [{ field, message: `must be a regular expression: ${compiled}`, reason: 'FieldValueInvalid' }]
    : [];
};

/** `check` for header and query matches: names are unique, regular expressions compile. */
export const checkMatches = (matches: readonly HeaderMatch[], field: string): Cause[] =>
  matches.flatMap((match, i): Cause[] => {
    const same = matches.findIndex(other => other.name.toLowerCase() === match.name.toLowerCase());
    if (same < i)
      return [
        {
          field: `${field}[${i}].name`,
          message: `must be unique: "${match.name}" is already matched`,
          reason: 'FieldValueDuplicate',
        },
      ];
    return match.type === 'RegularExpression' ? checkExpression(match.value, `${field}[${i}].value`) : [];
  });

/** The member of a filter that belongs to its type; `check` for "exactly that one is there". */
export const checkFilterMember = (
  filter: { readonly type: string },
  members: Readonly<Record<string, string>>,
  field: string,
): Cause[] =>
  Object.entries(members).flatMap(([type, member]): Cause[] => {
    const present = member in filter;
    if (type === filter.type && !present)
      return [
        {
          field: `${field}.${member}`,
          message: `must be set, because the type is ${type}`,
          reason: 'FieldValueRequired',
        },
      ];
    if (type !== filter.type && present)
      return [
        {
          field: `${field}.${member}`,
          message: `must be absent, because the type is ${filter.type}`,
          reason: 'FieldValueForbidden',
        },
      ];
    return [];
  });

/** `check` for a list of filters: each type once. */
export const checkFilterTypes = (filters: readonly { readonly type: string }[], field: string): Cause[] =>
  filters.flatMap((filter, i): Cause[] =>
    filters.findIndex(other => other.type === filter.type) < i
      ? [
          {
            field: `${field}[${i}].type`,
            message: `must be unique: there is already a ${filter.type}`,
            reason: 'FieldValueDuplicate',
          },
        ]
      : [],
  );

/** `check` for rule names: each once. */
export const checkRuleNames = (rules: readonly { readonly name?: string }[]): Cause[] =>
  rules.flatMap((rule, i): Cause[] =>
    rule.name !== undefined && rules.findIndex(other => other.name === rule.name) < i
      ? [
          {
            field: `spec.rules[${i}].name`,
            message: `must be unique: another rule is named "${rule.name}"`,
            reason: 'FieldValueDuplicate',
          },
        ]
      : [],
  );
