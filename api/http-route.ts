/** `HTTPRoute`: how HTTP requests to a Service are matched, changed and split. Gateway API v1, standard channel, and `retry` (GEP-1731). */

import { checkHttpRouteRule, HTTP_FILTER_MEMBERS } from './check-http-route.ts';
import { checkParentRefs, checkRuleNames, warnOfParentRefs } from './check-route.ts';
import type { ApiObject } from './object.ts';
import type { ResourceKind } from './resource-kind.ts';
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
import {
  choice,
  duration,
  ignored,
  integer,
  list,
  object,
  port,
  required,
  type Schema,
  subdomain,
  text,
} from './schema.ts';

export interface HttpRoute extends ApiObject {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'HTTPRoute';
  readonly spec: HttpRouteSpec;
  readonly status?: RouteStatus;
}

export interface HttpRouteSpec {
  readonly parentRefs?: readonly ParentReference[];
  readonly hostnames?: readonly string[];
  /** Default: one rule without backends, which answers 500. */
  readonly rules: readonly HttpRouteRule[];
}

export interface HttpRouteRule {
  readonly name?: string;
  /** Any one is enough. Default: the prefix `/`. */
  readonly matches: readonly HttpRouteMatch[];
  readonly filters?: readonly HttpRouteFilter[];
  readonly backendRefs?: readonly BackendReference<HttpRouteFilter>[];
  readonly timeouts?: {
    /** The whole exchange with all attempts; `0s`: none. */
    readonly request?: string;
    /** One attempt; `0s`: none. */
    readonly backendRequest?: string;
  };
  readonly retry?: HttpRouteRetry;
}

/** Gateway API GEP-1731. */
export interface HttpRouteRetry {
  /** HTTP statuses that are retried, beside failures to connect. */
  readonly codes?: readonly number[];
  /** Attempts after the first. */
  readonly attempts?: number;
  /** Shortest pause before an attempt. */
  readonly backoff?: string;
}

/** All members must match. */
export interface HttpRouteMatch {
  /** Default: the prefix `/`. */
  readonly path: { readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string };
  readonly headers?: readonly HeaderMatch[];
  readonly queryParams?: readonly HeaderMatch[];
  readonly method?: string;
}

export type HttpPathModifier =
  | { readonly type: 'ReplaceFullPath'; readonly replaceFullPath: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly replacePrefixMatch: string };

export interface HttpRequestRedirect {
  readonly scheme?: 'http' | 'https';
  readonly hostname?: string;
  readonly path?: HttpPathModifier;
  readonly port?: number;
  /** Default 302. */
  readonly statusCode: number;
}

export interface HttpUrlRewrite {
  readonly hostname?: string;
  readonly path?: HttpPathModifier;
}

export type HttpRouteFilter =
  | { readonly type: 'RequestHeaderModifier'; readonly requestHeaderModifier: HeaderModifier }
  | { readonly type: 'ResponseHeaderModifier'; readonly responseHeaderModifier: HeaderModifier }
  | { readonly type: 'RequestRedirect'; readonly requestRedirect: HttpRequestRedirect }
  | { readonly type: 'URLRewrite'; readonly urlRewrite: HttpUrlRewrite }
  | { readonly type: 'RequestMirror'; readonly requestMirror: RequestMirror };

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;

const PATH_MODIFIER: Schema = object('How the path changes.', {
  type: required(choice('Which of the two.', ['ReplaceFullPath', 'ReplacePrefixMatch'])),
  replaceFullPath: text('The new path.', { maxLength: 1_024 }),
  replacePrefixMatch: text('What stands in place of the matched prefix.', { maxLength: 1_024 }),
});

/** `mirrors`: those of a rule, which can be copied; a backend's cannot. */
const filters = (mirrors: boolean): Schema =>
  list(
    'Changes to the request or the response, each type once.',
    object('A change.', {
      type: required(
        choice(
          "Which one; the member of the same name says how. The Gateway API's other types are refused.",
          Object.keys(HTTP_FILTER_MEMBERS).filter(type => mirrors || type !== 'RequestMirror'),
        ),
      ),
      requestHeaderModifier: headerModifier('Changes headers of the request.'),
      responseHeaderModifier: headerModifier('Changes headers of the response.'),
      requestRedirect: object('Answers with a redirect.', {
        scheme: choice('Scheme of the location.', ['http', 'https'], { 'x-outrider-default': 'that of the request' }),
        hostname: subdomain('Host of the location.', { 'x-outrider-default': 'that of the request' }),
        path: PATH_MODIFIER,
        port: port('Port of the location.', {
          'x-outrider-default': 'by the scheme if that is given, else that of the request',
        }),
        statusCode: {
          type: 'integer',
          description: 'Status of the answer.',
          enum: [301, 302, 303, 307, 308],
          default: 302,
        },
      }),
      urlRewrite: object('Changes host and path of the request.', {
        hostname: subdomain('The new `Host`.'),
        path: PATH_MODIFIER,
      }),
      ...(mirrors ? { requestMirror: requestMirror() } : {}),
    }),
    { maxItems: 16 },
  );

const PREFIX_ROOT = { type: 'PathPrefix', value: '/' };

const MATCH: Schema = object('All members must match.', {
  path: object(
    'The path, without the query.',
    {
      type: choice(
        '`PathPrefix` compares whole segments. `RegularExpression` must match the whole path.',
        ['Exact', 'PathPrefix', 'RegularExpression'],
        { default: 'PathPrefix' },
      ),
      value: text('What it is compared with.', { maxLength: 1_024, default: '/' }),
    },
    { default: PREFIX_ROOT },
  ),
  headers: headerMatches(),
  queryParams: headerMatches(),
  method: choice('The method.', METHODS),
});

const RULE: Schema = object('What happens to requests that match.', {
  name: subdomain('For metrics and logs, unique within the route.'),
  matches: list('Any one is enough.', MATCH, { maxItems: 64, default: [{ path: PREFIX_ROOT }] }),
  filters: filters(true),
  backendRefs: backendRefs(filters(false)),
  timeouts: object('Time limits.', {
    request: duration('The whole exchange, with all attempts. `0s`: none.', {
      'x-outrider-default': 'as the TrafficPolicy says',
    }),
    backendRequest: duration('One attempt, at most `request`. `0s`: none.', { 'x-outrider-default': 'none' }),
  }),
  retry: object('Repeats requests that failed.', {
    codes: list('HTTP statuses that are repeated.', integer('A status.', 400, 599), {
      'x-kubernetes-list-type': 'set',
      maxItems: 64,
    }),
    attempts: integer('Attempts after the first.', 0, 100),
    backoff: duration('Shortest pause before an attempt.'),
  }),
  sessionPersistence: ignored('object', 'a TrafficPolicy chooses the load balancing'),
});

export const HTTP_ROUTE: ResourceKind<HttpRoute> = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'HTTPRoute',
  plural: 'httproutes',
  singular: 'httproute',
  shortNames: [],
  namespaced: true,
  writable: true,
  description: 'How HTTP requests to a Service are matched, changed and split.',
  schema: {
    spec: object(
      'The routing rules.',
      {
        parentRefs: PARENT_REFS,
        hostnames: HOSTNAMES,
        useDefaultGateways: ignored('string', 'there are no Gateways here'),
        rules: list('The most specific match of all rules wins.', RULE, {
          minItems: 1,
          maxItems: 16,
          default: [{ matches: [{ path: PREFIX_ROOT }] }],
        }),
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
    ...checkRuleNames(spec.rules),
    ...spec.rules.flatMap((rule, i) => checkHttpRouteRule(rule, `spec.rules[${i}]`)),
  ],
  warn: ({ spec }) => warnOfParentRefs(spec.parentRefs ?? []),
};
