/** `GRPCRoute`: how gRPC calls to a Service are matched, changed and split. Gateway API v1, standard channel. */

import {
  checkBackendRef,
  checkExpression,
  checkFilterMember,
  checkFilterTypes,
  checkMatches,
  checkParentRefs,
  checkRuleNames,
  warnOfParentRefs,
} from './check-route.ts';
import type { ApiObject } from './object.ts';
import type { Cause, ResourceKind } from './resource-kind.ts';
import {
  type BackendReference,
  backendRefs,
  type HeaderMatch,
  type HeaderModifier,
  HOSTNAMES,
  headerMatches,
  headerModifier,
  PARENT_REFS,
  type ParentReference,
  type RequestMirror,
  ROUTE_STATUS,
  type RouteStatus,
  requestMirror,
} from './route-parts.ts';
import { choice, ignored, list, object, required, type Schema, subdomain, text } from './schema.ts';
import { checkHeaderNames } from './untouchable-headers.ts';

export interface GrpcRoute extends ApiObject {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'GRPCRoute';
  readonly spec: GrpcRouteSpec;
  readonly status?: RouteStatus;
}

export interface GrpcRouteSpec {
  readonly parentRefs?: readonly ParentReference[];
  readonly hostnames?: readonly string[];
  readonly rules?: readonly GrpcRouteRule[];
}

export interface GrpcRouteRule {
  readonly name?: string;
  /** Any one is enough; absent or empty: every call. */
  readonly matches?: readonly GrpcRouteMatch[];
  readonly filters?: readonly GrpcRouteFilter[];
  readonly backendRefs?: readonly BackendReference<GrpcRouteFilter>[];
}

/** All members must match. */
export interface GrpcRouteMatch {
  readonly method?: GrpcMethodMatch;
  readonly headers?: readonly HeaderMatch[];
}

export interface GrpcMethodMatch {
  /** Default `Exact`. */
  readonly type: 'Exact' | 'RegularExpression';
  /** `package.Service`; absent: any. */
  readonly service?: string;
  /** Absent: any. */
  readonly method?: string;
}

export type GrpcRouteFilter =
  | { readonly type: 'RequestHeaderModifier'; readonly requestHeaderModifier: HeaderModifier }
  | { readonly type: 'ResponseHeaderModifier'; readonly responseHeaderModifier: HeaderModifier }
  | { readonly type: 'RequestMirror'; readonly requestMirror: RequestMirror };

const FILTER_MEMBERS = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
} as const;

/** `mirrors`: those of a rule, which can be copied; a backend's cannot. */
const filters = (mirrors: boolean): Schema =>
  list(
    'Changes to the request or the response, each type once.',
    object('A change.', {
      type: required(
        choice(
          "Which one; the member of the same name says how. The Gateway API's other types are refused.",
          Object.keys(FILTER_MEMBERS).filter(type => mirrors || type !== 'RequestMirror'),
        ),
      ),
      requestHeaderModifier: headerModifier('Changes metadata of the request.'),
      responseHeaderModifier: headerModifier('Changes metadata of the response.'),
      ...(mirrors ? { requestMirror: requestMirror() } : {}),
    }),
    { maxItems: 16 },
  );

const RULE: Schema = object('What happens to calls that match.', {
  name: subdomain('For metrics and logs, unique within the route.'),
  matches: list(
    'Any one is enough. Empty: every call.',
    object('All members must match.', {
      method: object('The gRPC method. At least one of `service` and `method` is needed.', {
        type: choice('How they are compared.', ['Exact', 'RegularExpression'], { default: 'Exact' }),
        service: text('`package.Service`, or a regular expression for the whole of it.', {
          minLength: 1,
          maxLength: 1_024,
          'x-outrider-default': 'any',
        }),
        method: text('The method alone, or a regular expression for the whole of it.', {
          minLength: 1,
          maxLength: 1_024,
          'x-outrider-default': 'any',
        }),
      }),
      headers: headerMatches(),
    }),
    { maxItems: 64 },
  ),
  filters: filters(true),
  backendRefs: backendRefs(filters(false)),
  sessionPersistence: ignored('object', 'a TrafficPolicy chooses the load balancing'),
});

export const GRPC_ROUTE: ResourceKind<GrpcRoute> = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'GRPCRoute',
  plural: 'grpcroutes',
  singular: 'grpcroute',
  shortNames: [],
  namespaced: true,
  writable: true,
  description: 'How gRPC calls to a Service are matched, changed and split.',
  schema: {
    spec: object(
      'The routing rules.',
      {
        parentRefs: PARENT_REFS,
        hostnames: HOSTNAMES,
        useDefaultGateways: ignored('string', 'there are no Gateways here'),
        rules: list('The most specific match of all rules wins.', RULE, { maxItems: 16 }),
      },
      { default: {} },
    ),
    status: ROUTE_STATUS,
  },
  required: [],
  columns: [
    {
      name: 'Hostnames',
      description: 'spec.hostnames',
      priority: 0,
      cell: ({ spec }) => JSON.stringify(spec.hostnames ?? []),
    },
    {
      name: 'Parents',
      description: 'spec.parentRefs',
      priority: 0,
      cell: ({ spec }) => spec.parentRefs?.map(parent => parent.name).join(',') ?? '',
    },
  ],
  check: ({ spec }) => [
    ...checkParentRefs(spec.parentRefs ?? []),
    ...checkRuleNames(spec.rules ?? []),
    ...(spec.rules ?? []).flatMap((rule, i) => checkRule(rule, `spec.rules[${i}]`)),
  ],
  warn: ({ spec }) => warnOfParentRefs(spec.parentRefs ?? []),
};

const checkRule = (rule: GrpcRouteRule, field: string): Cause[] => [
  ...(rule.matches ?? []).flatMap((match, i) => [
    ...(match.method === undefined ? [] : checkMethod(match.method, `${field}.matches[${i}].method`)),
    ...checkMatches(match.headers ?? [], `${field}.matches[${i}].headers`),
  ]),
  ...checkFilters(rule.filters ?? [], `${field}.filters`),
  ...(rule.backendRefs ?? []).flatMap((backend, i) => [
    ...checkBackendRef(backend, `${field}.backendRefs[${i}]`),
    ...checkFilters(backend.filters ?? [], `${field}.backendRefs[${i}].filters`),
  ]),
];

/** Names as protobuf has them, so that an exact match can never be in vain. */
const checkMethod = ({ type, service, method }: GrpcMethodMatch, field: string): Cause[] => {
  if (service === undefined && method === undefined)
    return [{ field, message: 'must have a service or a method', reason: 'FieldValueRequired' }];
  if (type === 'RegularExpression')
    return [
      ...(service === undefined ? [] : checkExpression(service, `${field}.service`)),
      ...(method === undefined ? [] : checkExpression(method, `${field}.method`)),
    ];
  const causes: Cause[] = [];
  if (service !== undefined && !/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(service))
    causes.push({
      field: `${field}.service`,
      message: 'must be a service name such as "shop.Checkout"',
      reason: 'FieldValueInvalid',
    });
  if (method !== undefined && !/^[A-Za-z_]\w*$/.test(method))
    causes.push({
      field: `${field}.method`,
      message: 'must be a method name such as "PlaceOrder"',
      reason: 'FieldValueInvalid',
    });
  return causes;
};

const checkFilters = (list: readonly GrpcRouteFilter[], field: string): Cause[] => [
  ...checkFilterTypes(list, field),
  ...list.flatMap((filter, i) => {
    const at = `${field}[${i}]`;
    const causes = checkFilterMember(filter, FILTER_MEMBERS, at);
    if (causes.length > 0) return causes;
    if (filter.type === 'RequestHeaderModifier')
      return checkHeaderNames(filter.requestHeaderModifier, filter.type, `${at}.requestHeaderModifier`);
    if (filter.type === 'ResponseHeaderModifier')
      return checkHeaderNames(filter.responseHeaderModifier, filter.type, `${at}.responseHeaderModifier`);
    return checkBackendRef(filter.requestMirror.backendRef, `${at}.requestMirror.backendRef`);
  }),
];
