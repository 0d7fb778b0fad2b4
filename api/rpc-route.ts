/** `RPCRoute`: how Thrift and Hessian calls to a Service are matched and split. Made like GRPCRoute of the Gateway API. */

import { parseDuration } from '../common/duration.ts';
import {
  checkBackendRef,
  checkExpression,
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
  headerMatches,
  PARENT_REFS,
  type ParentReference,
  type RequestMirror,
  ROUTE_STATUS,
  type RouteStatus,
  requestMirror,
} from './route-parts.ts';
import { choice, duration, flag, integer, list, object, required, type Schema, subdomain, text } from './schema.ts';

export interface RpcRoute extends ApiObject {
  readonly apiVersion: 'outrider.mesh/v1';
  readonly kind: 'RPCRoute';
  readonly spec: RpcRouteSpec;
  readonly status?: RouteStatus;
}

export interface RpcRouteSpec {
  readonly parentRefs?: readonly ParentReference[];
  readonly rules: readonly RpcRouteRule[];
}

export interface RpcRouteRule {
  readonly name?: string;
  /** Any one is enough; absent or empty: every call. */
  readonly matches?: readonly RpcRouteMatch[];
  readonly backendRefs: readonly BackendReference<never>[];
  readonly timeouts?: {
    /** The whole call with all attempts; `0s`: none. */
    readonly request?: string;
    /** One attempt; `0s`: none. */
    readonly backendRequest?: string;
  };
  /** The calls may be repeated although they may have been processed. */
  readonly idempotent?: boolean;
  /** Thrift: the calls get no reply, although their messages may not say so. */
  readonly oneway?: boolean;
  readonly retry?: {
    /** Attempts after the first. */
    readonly attempts?: number;
    /** Shortest pause before an attempt. */
    readonly backoff?: string;
  };
  /** Injected on purpose, to see what callers make of it. Istio: HTTPFaultInjection. */
  readonly fault?: {
    readonly delay?: { readonly duration: string; readonly percent: number };
    readonly abort?: { readonly percent: number };
  };
  readonly mirror?: RequestMirror;
}

/** All members must match. */
export interface RpcRouteMatch {
  readonly method?: RpcMethodMatch;
  /** Of HTTP for Hessian, of the THeader transport for Thrift; Thrift calls of other transports have none. */
  readonly headers?: readonly HeaderMatch[];
}

export interface RpcMethodMatch {
  /** Default `Exact`. */
  readonly type: 'Exact' | 'RegularExpression';
  /**
   * Thrift: the name before the colon of a multiplexed call; a call that is not multiplexed names no service, and is meant by every name.
   * Hessian: the path of the URL, or, without a slash at its beginning, the last segment of the path. Absent: any.
   */
  readonly service?: string;
  /** Absent: any. */
  readonly method?: string;
}

const name = (description: string): Schema =>
  text(description, { minLength: 1, maxLength: 255, 'x-outrider-default': 'any' });

const RULE: Schema = object('What happens to calls that match.', {
  name: subdomain('For metrics and logs, unique within the route.'),
  matches: list(
    'Any one is enough. Empty: every call.',
    object('All members must match.', {
      method: object('The method. At least one of `service` and `method` is needed.', {
        type: choice('How they are compared.', ['Exact', 'RegularExpression'], { default: 'Exact' }),
        service: name(
          'Thrift: the service of a multiplexed call; one that is not multiplexed names no service, and matches. Hessian: the path of the URL (`/remoting/accounts`), or its last segment (`accounts`). Or a regular expression for the whole of it.',
        ),
        method: name('The method alone, or a regular expression for the whole of it.'),
      }),
      headers: headerMatches(),
    }),
    { maxItems: 64 },
  ),
  backendRefs: required(backendRefs()),
  timeouts: object('Time limits.', {
    request: duration('The whole call, with all attempts. `0s`: none.', {
      'x-outrider-default': 'as the TrafficPolicy says',
    }),
    backendRequest: duration('One attempt, at most `request`. `0s`: none.', { 'x-outrider-default': 'none' }),
  }),
  idempotent: flag('The calls may be repeated although the app may have processed them.', {
    'x-outrider-default': 'false',
  }),
  oneway: flag(
    'The calls get no reply, whatever their messages say: the Thrift library for Go sends its oneway methods as ordinary calls, and the next call of the connection would wait for ever.',
    { 'x-outrider-default': 'as the message says' },
  ),
  retry: object('Repeats calls that got no answer. Needs `idempotent`.', {
    attempts: integer('Attempts after the first.', 0, 100, { 'x-outrider-default': '1' }),
    backoff: duration('Shortest pause before an attempt.', { 'x-outrider-default': '25ms' }),
  }),
  fault: object(
    'Faults on purpose, to see what callers make of them. Made by the sidecar of the caller; not repeated.',
    {
      delay: object('Some calls wait before they go out. The wait counts for `timeouts.request`.', {
        duration: required(duration('How long.')),
        percent: required(integer('Of the calls.', 0, 100)),
      }),
      abort: object('Some calls are answered with `FAULT_INJECTED` and do not go out.', {
        percent: required(integer('Of the calls.', 0, 100)),
      }),
    },
  ),
  mirror: requestMirror(),
});

export const RPC_ROUTE: ResourceKind<RpcRoute> = {
  group: 'outrider.mesh',
  version: 'v1',
  kind: 'RPCRoute',
  plural: 'rpcroutes',
  singular: 'rpcroute',
  shortNames: [],
  namespaced: true,
  writable: true,
  description:
    'How Thrift and Hessian calls to a Service are matched and split. Calls that no rule matches go to the Service itself. It has no effect on ports of other protocols.',
  schema: {
    spec: object('The routing rules.', {
      parentRefs: PARENT_REFS,
      rules: required(list('The most specific match of all rules wins.', RULE, { minItems: 1, maxItems: 16 })),
    }),
    status: ROUTE_STATUS,
  },
  required: ['spec'],
  columns: [
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
    ...spec.rules.flatMap((rule, i) => checkRule(rule, `spec.rules[${i}]`)),
  ],
  warn: ({ spec }) => warnOfParentRefs(spec.parentRefs ?? []),
};

const checkRule = (rule: RpcRouteRule, field: string): Cause[] => [
  ...(rule.matches ?? []).flatMap((match, i) => [
    ...(match.method === undefined ? [] : checkMethod(match.method, `${field}.matches[${i}].method`)),
    ...checkMatches(match.headers ?? [], `${field}.matches[${i}].headers`),
  ]),
  ...rule.backendRefs.flatMap((backend, i) => checkBackendRef(backend, `${field}.backendRefs[${i}]`)),
  ...(rule.mirror === undefined ? [] : checkBackendRef(rule.mirror.backendRef, `${field}.mirror.backendRef`)),
  ...checkTimes(rule, field),
];

const checkTimes = ({ timeouts, retry, idempotent }: RpcRouteRule, field: string): Cause[] => {
  const causes: Cause[] = [];
  const request = parseDuration(timeouts?.request ?? '0s') ?? 0;
  const backendRequest = parseDuration(timeouts?.backendRequest ?? '0s') ?? 0;
  if (request > 0 && backendRequest > request)
    causes.push({
      field: `${field}.timeouts.backendRequest`,
      message: `must be at most timeouts.request, which is ${timeouts?.request}`,
      reason: 'FieldValueInvalid',
    });
  if (retry !== undefined && idempotent !== true)
    causes.push({
      field: `${field}.retry`,
      message: 'needs "idempotent: true": a call that may have been processed must not be repeated otherwise',
      reason: 'FieldValueInvalid',
    });
  return causes;
};

const NAME = /^[A-Za-z_][\w.]*$/;
/** Of a Hessian service: RFC 3986 §3.3. */
const PATH = /^\/[\w.~!$&'()*+,;=:@%/-]*$/;

const checkMethod = ({ type, service, method }: RpcMethodMatch, field: string): Cause[] => {
  if (service === undefined && method === undefined)
    return [{ field, message: 'must have a service or a method', reason: 'FieldValueRequired' }];
  return Object.entries({ service, method }).flatMap(([member, value]): Cause[] => {
    if (value === undefined) return [];
    if (type === 'RegularExpression') return checkExpression(value, `${field}.${member}`);
    if (NAME.test(value) || (member === 'service' && PATH.test(value))) return [];
    const message = `must be a name such as "${member === 'service' ? 'Calculator" or a path such as "/calculator' : 'add'}"`;
    return [{ field: `${field}.${member}`, message, reason: 'FieldValueInvalid' }];
  });
};
