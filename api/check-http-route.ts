/** What the schema of HTTPRoute cannot say about a rule. Gateway API v1, its CEL rules and its text. */

import { parseDuration } from '../common/duration.ts';
import { checkBackendRef, checkExpression, checkFilterMember, checkFilterTypes, checkMatches } from './check-route.ts';
import type { HttpPathModifier, HttpRouteFilter, HttpRouteMatch, HttpRouteRule } from './http-route.ts';
import type { Cause } from './resource-kind.ts';
import { checkHeaderNames } from './untouchable-headers.ts';

/** The member of a filter that belongs to its type. */
export const HTTP_FILTER_MEMBERS = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  RequestMirror: 'requestMirror',
} as const;

/** `check` for one rule, which stands at `field`. */
export const checkHttpRouteRule = (rule: HttpRouteRule, field: string): Cause[] => {
  const ruleFilters = rule.filters ?? [];
  const redirect = ruleFilters.findIndex(filter => filter.type === 'RequestRedirect');
  const request = parseDuration(rule.timeouts?.request ?? '0s');
  const backendRequest = parseDuration(rule.timeouts?.backendRequest ?? '0s');
  const causes = [
    ...rule.matches.flatMap((match, i) => checkMatch(match, `${field}.matches[${i}]`)),
    ...checkFilters(ruleFilters, rule, `${field}.filters`),
    ...(rule.backendRefs ?? []).flatMap((backend, i) => [
      ...checkBackendRef(backend, `${field}.backendRefs[${i}]`),
      ...checkFilters(backend.filters ?? [], rule, `${field}.backendRefs[${i}].filters`),
    ]),
  ];
  if (redirect >= 0 && (rule.backendRefs ?? []).length > 0)
    causes.push({
      field: `${field}.backendRefs`,
      message: 'must be empty, because a RequestRedirect answers the request',
      reason: 'FieldValueForbidden',
    });
  if (redirect >= 0 && ruleFilters.some(filter => filter.type === 'URLRewrite'))
    causes.push({
      field: `${field}.filters[${redirect}].type`,
      message: 'must not be RequestRedirect together with URLRewrite',
      reason: 'FieldValueForbidden',
    });
  if (request && backendRequest && backendRequest > request)
    causes.push({
      field: `${field}.timeouts.backendRequest`,
      message: `must be at most timeouts.request, which is ${rule.timeouts?.request}`,
      reason: 'FieldValueInvalid',
    });
  return causes;
};

const checkMatch = (match: HttpRouteMatch, field: string): Cause[] => [
  ...(match.path.type === 'RegularExpression'
    ? checkExpression(match.path.value, `${field}.path.value`)
    : checkPath(match.path.value, `${field}.path.value`)),
  ...checkMatches(match.headers ?? [], `${field}.headers`),
  ...checkMatches(match.queryParams ?? [], `${field}.queryParams`),
];

/** Gateway API HTTPPathMatch: a path that stays the same when it is normalised. */
const checkPath = (path: string, field: string): Cause[] =>
  /^\/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/.test(path) && !/\/\/|\/\.\.?(\/|$)|%2f/i.test(path)
    ? []
    : [
        {
          field,
          message: 'must begin with "/" and have no "//", "/./", "/../", "%2F", "?" or "#"',
          reason: 'FieldValueInvalid',
        },
      ];

const checkFilters = (list: readonly HttpRouteFilter[], rule: HttpRouteRule, field: string): Cause[] => [
  ...checkFilterTypes(list, field),
  ...list.flatMap((filter, i) => {
    const at = `${field}[${i}]`;
    const causes = checkFilterMember(filter, HTTP_FILTER_MEMBERS, at);
    if (causes.length > 0) return causes;
    if (filter.type === 'RequestHeaderModifier')
      return checkHeaderNames(filter.requestHeaderModifier, filter.type, `${at}.requestHeaderModifier`);
    if (filter.type === 'ResponseHeaderModifier')
      return checkHeaderNames(filter.responseHeaderModifier, filter.type, `${at}.responseHeaderModifier`);
    if (filter.type === 'URLRewrite') return checkPathModifier(filter.urlRewrite.path, rule, `${at}.urlRewrite.path`);
    if (filter.type === 'RequestRedirect')
      return checkPathModifier(filter.requestRedirect.path, rule, `${at}.requestRedirect.path`);
    return checkBackendRef(filter.requestMirror.backendRef, `${at}.requestMirror.backendRef`);
  }),
];

const checkPathModifier = (path: HttpPathModifier | undefined, rule: HttpRouteRule, field: string): Cause[] => {
  if (path === undefined) return [];
  const causes = checkFilterMember(
    path,
    { ReplaceFullPath: 'replaceFullPath', ReplacePrefixMatch: 'replacePrefixMatch' },
    field,
  );
  if (path.type === 'ReplacePrefixMatch' && rule.matches.some(match => match.path.type !== 'PathPrefix'))
    causes.push({
      field: `${field}.type`,
      message: 'must not be ReplacePrefixMatch unless every match of the rule is a PathPrefix',
      reason: 'FieldValueInvalid',
    });
  return causes;
};
