/** Routes of every kind as one kind of rule, each match with its rank. */
import type { GrpcMethodMatch, GrpcRoute } from '../../api/grpc-route.ts';
import type { HttpPathModifier, HttpRoute, HttpRouteFilter, HttpRouteMatch } from '../../api/http-route.ts';
import type { Stored } from '../../api/object.ts';
import type { BackendReference, HeaderMatch, HeaderModifier, RequestMirror } from '../../api/route-parts.ts';
import type { RpcMethodMatch, RpcRoute, RpcRouteRule } from '../../api/rpc-route.ts';
import type {
  AppProtocol,
  FaultView,
  FilterView,
  MatchView,
  NameValue,
  PathModifier,
  RetryView,
  ValueMatchView,
} from '../../api/snapshot.ts';
import { DEFAULT_RETRY, ms } from './policy.ts';
import { mirrorOf } from './references.ts';
import type { Route } from './route.ts';

/**
 * How specific a match is; compared from the left, greater wins. For HTTPRoute: kind of path (exact, regular expression,
 * prefix), length of the path, a method, number of headers, number of query parameters. GRPCRoute's service and method
 * rank as the path that they make. Gateway API HTTPRouteRule.matches, GRPCRouteRule.matches.
 */
export type Rank = readonly [kind: number, length: number, method: number, headers: number, query: number];

export interface RankedMatch {
  readonly view: MatchView;
  readonly rank: Rank;
}

export interface RouteRule {
  /** `namespace/route/rule` */
  readonly name: string;
  readonly matches: readonly RankedMatch[];
  readonly filters: readonly FilterView[];
  readonly backends: readonly (BackendReference<HttpRouteFilter> & { readonly views: readonly FilterView[] })[];
  readonly requestTimeoutMs: number | null;
  readonly attemptTimeoutMs: number;
  /** null: as the policy says. */
  readonly retry: RetryView | null;
  readonly fault?: FaultView;
  readonly mirror: RequestMirror | undefined;
  readonly oneway?: boolean;
}

/** `protocol`: of the port that the route is compiled for. */
export const routeRules = (route: Route, protocol: AppProtocol): readonly RouteRule[] => {
  if (route.kind === 'RPCRoute') return rpcRules(route, protocol === 'hessian' ? hessianMethod : thriftMethod);
  return route.kind === 'HTTPRoute' ? httpRules(route) : grpcRules(route);
};

const httpRules = (route: Stored<HttpRoute>): readonly RouteRule[] =>
  route.spec.rules.map((rule, i) => ({
    name: ruleName(route, rule.name, i),
    matches: rule.matches.map(httpMatch),
    filters: filterViews(rule.filters),
    mirror: mirrorOf(rule),
    backends: backends(rule.backendRefs),
    requestTimeoutMs: rule.timeouts?.request === undefined ? null : ms(rule.timeouts.request, 0),
    attemptTimeoutMs: ms(rule.timeouts?.backendRequest, 0),
    retry: rule.retry
      ? {
          attempts: rule.retry.attempts ?? DEFAULT_RETRY.attempts,
          codes: rule.retry.codes ?? DEFAULT_RETRY.codes,
          backoffMs: ms(rule.retry.backoff, DEFAULT_RETRY.backoffMs),
          on: DEFAULT_RETRY.on,
        }
      : null,
  }));

const grpcRules = (route: Stored<GrpcRoute>): readonly RouteRule[] =>
  (route.spec.rules ?? []).map((rule, i) => ({
    name: ruleName(route, rule.name, i),
    matches: (rule.matches?.length ? rule.matches : [{}]).map(({ method, headers = [] }) => {
      const path = method && grpcPath(method);
      return {
        view: {
          ...(path ? { path: path.view } : {}),
          ...(headers.length > 0 ? { headers: headers.map(headerMatch) } : {}),
        },
        rank: [path?.kind ?? 0, path?.length ?? 0, 0, headers.length, 0],
      };
    }),
    filters: filterViews(rule.filters),
    mirror: mirrorOf(rule),
    backends: backends(rule.backendRefs),
    requestTimeoutMs: null,
    attemptTimeoutMs: 0,
    retry: null,
  }));

/** Repeats what got no answer, and was not answered with an exception. */
const IDEMPOTENT = ['reset'];

const rpcRules = (
  route: Stored<RpcRoute>,
  viewOf: (method: RpcMethodMatch) => Pick<MatchView, 'path' | 'rpcMethod'>,
): readonly RouteRule[] =>
  route.spec.rules.map((rule, i) => ({
    name: ruleName(route, rule.name, i),
    matches: (rule.matches?.length ? rule.matches : [{}]).map(({ method, headers = [] }) => {
      const { kind, length } = rankOf(method);
      return {
        view: {
          ...(method && viewOf(method)),
          ...(headers.length > 0 ? { headers: headers.map(headerMatch) } : {}),
        },
        rank: [kind, length, 0, headers.length, 0],
      };
    }),
    filters: [],
    mirror: rule.mirror,
    ...(rule.oneway === true ? { oneway: true } : {}),
    backends: backends(rule.backendRefs),
    requestTimeoutMs: rule.timeouts?.request === undefined ? null : ms(rule.timeouts.request, 0),
    attemptTimeoutMs: ms(rule.timeouts?.backendRequest, 0),
    retry:
      rule.idempotent === true
        ? {
            attempts: rule.retry?.attempts ?? DEFAULT_RETRY.attempts,
            codes: [],
            backoffMs: ms(rule.retry?.backoff, DEFAULT_RETRY.backoffMs),
            on: IDEMPOTENT,
          }
        : null,
    ...(rule.fault === undefined ? {} : { fault: faultView(rule.fault) }),
  }));

const faultView = ({ delay, abort }: NonNullable<RpcRouteRule['fault']>): FaultView => ({
  delayMs: ms(delay?.duration, 0),
  delayPercent: delay?.percent ?? 0,
  abortPercent: abort?.percent ?? 0,
});

const ruleName = (route: Route, name: string | undefined, index: number): string =>
  `${route.metadata.namespace}/${route.metadata.name}/${name ?? index}`;

const backends = (refs: readonly BackendReference<HttpRouteFilter>[] | undefined): RouteRule['backends'] =>
  (refs ?? []).map(ref => ({ ...ref, views: filterViews(ref.filters) }));

const PATH_RANKS = { PathPrefix: 1, RegularExpression: 2, Exact: 3 } as const;

const httpMatch = ({ path, method, headers = [], queryParams = [] }: HttpRouteMatch): RankedMatch => ({
  view: {
    // The prefix `/` is on every path.
    ...(path.type === 'PathPrefix' && path.value === '/' ? {} : { path: { type: path.type, value: path.value } }),
    ...(method === undefined ? {} : { method }),
    ...(headers.length > 0 ? { headers: headers.map(headerMatch) } : {}),
    ...(queryParams.length > 0 ? { query: queryParams.map(({ type, name, value }) => ({ type, name, value })) } : {}),
  },
  rank: [PATH_RANKS[path.type], path.value.length, method === undefined ? 0 : 1, headers.length, queryParams.length],
});

const headerMatch = ({ type, name, value }: HeaderMatch): ValueMatchView => ({ type, name: name.toLowerCase(), value });

/** gRPC's path is `/service/method` (gRPC over HTTP/2). */
const grpcPath = ({ type, service, method }: GrpcMethodMatch) => {
  const length = (service?.length ?? 0) * 10_000 + (method?.length ?? 0);
  if (type === 'RegularExpression')
    return {
      view: { type: 'RegularExpression' as const, value: `/(?:${service ?? '[^/]+'})/(?:${method ?? '[^/]+'})` },
      kind: PATH_RANKS.RegularExpression,
      length,
    };
  if (service !== undefined && method !== undefined)
    return { view: { type: 'Exact' as const, value: `/${service}/${method}` }, kind: PATH_RANKS.Exact, length };
  if (service !== undefined)
    return { view: { type: 'PathPrefix' as const, value: `/${service}` }, kind: PATH_RANKS.PathPrefix, length };
  // Names as protobuf has them need no escapes.
  return { view: { type: 'RegularExpression' as const, value: `/[^/]+/${method}` }, kind: 0, length };
};

/** A Thrift call's path on the link is `/service/method`, and `/-/method` when it is not multiplexed: then it may be of any service. */
const thriftMethod = ({ type, service, method }: RpcMethodMatch): Pick<MatchView, 'path'> => {
  const escaped = (text: string): string => (type === 'Exact' ? text.replaceAll('.', '\\.') : text);
  const first = service === undefined ? '[^/]+' : `(?:-|${escaped(service)})`;
  const second = method === undefined ? '[^/]+' : `(?:${escaped(method)})`;
  return { path: { type: 'RegularExpression', value: `/${first}/${second}` } };
};

/** A Hessian service is a path: the whole of it, or its last segment where the name has no slash. */
const hessianMethod = ({ type, service, method }: RpcMethodMatch): Pick<MatchView, 'path' | 'rpcMethod'> => ({
  ...(service === undefined ? {} : { path: hessianPath(type, service) }),
  ...(method === undefined ? {} : { rpcMethod: { type, value: method } }),
});

const hessianPath = (type: RpcMethodMatch['type'], service: string): NonNullable<MatchView['path']> =>
  type === 'RegularExpression' || service.startsWith('/')
    ? { type, value: service }
    : { type: 'RegularExpression', value: `(?:/[^/]*)*/${service.replaceAll('.', '\\.')}` };

const rankOf = (match: RpcMethodMatch | undefined): { readonly kind: number; readonly length: number } => {
  if (match === undefined) return { kind: 0, length: 0 };
  const { type, service, method } = match;
  const kind = type === 'Exact' && method !== undefined ? PATH_RANKS.Exact : PATH_RANKS.PathPrefix;
  return {
    kind: type === 'RegularExpression' ? PATH_RANKS.RegularExpression : kind,
    length: (service?.length ?? 0) * 10_000 + (method?.length ?? 0),
  };
};

/** Those that change requests and answers. */
const filterViews = (filters: readonly HttpRouteFilter[] = []): readonly FilterView[] =>
  filters.flatMap(filter => (filter.type === 'RequestMirror' ? [] : [filterView(filter)]));

const filterView = (filter: Exclude<HttpRouteFilter, { type: 'RequestMirror' }>): FilterView => {
  switch (filter.type) {
    case 'RequestHeaderModifier':
      return { type: filter.type, ...modifier(filter.requestHeaderModifier) };
    case 'ResponseHeaderModifier':
      return { type: filter.type, ...modifier(filter.responseHeaderModifier) };
    case 'RequestRedirect': {
      const { scheme, hostname, port, path, statusCode } = filter.requestRedirect;
      return {
        type: filter.type,
        ...(scheme === undefined ? {} : { scheme }),
        ...(hostname === undefined ? {} : { hostname }),
        ...(port === undefined ? {} : { port }),
        ...(path === undefined ? {} : { path: pathModifier(path) }),
        statusCode,
      };
    }
    case 'URLRewrite': {
      const { hostname, path } = filter.urlRewrite;
      return {
        type: filter.type,
        ...(hostname === undefined ? {} : { hostname }),
        ...(path === undefined ? {} : { path: pathModifier(path) }),
      };
    }
  }
};

const modifier = ({ set = [], add = [], remove = [] }: HeaderModifier) => ({
  set: set.map(lowerName),
  add: add.map(lowerName),
  remove: remove.map(name => name.toLowerCase()),
});

const lowerName = ({ name, value }: NameValue): NameValue => ({ name: name.toLowerCase(), value });

const pathModifier = (path: HttpPathModifier): PathModifier =>
  path.type === 'ReplaceFullPath'
    ? { type: path.type, value: path.replaceFullPath }
    : { type: path.type, value: path.replacePrefixMatch };
