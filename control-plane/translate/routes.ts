/** The routes of one port of a service, for callers of one namespace, in order of precedence. */
import type { BackendView, RouteView } from '../../api/snapshot.ts';
import { isGranted } from './grants.ts';
import type { MergedPolicy } from './policy.ts';
import { backendKey, serviceParents } from './references.ts';
import { type Route, serviceKey } from './route.ts';
import { type Rank, type RankedMatch, type RouteRule, routeRules } from './route-rules.ts';
import { byAge, type DefinedPort, defineService, type ServiceDefinition } from './service-definition.ts';
import type { World } from './world.ts';

interface Candidate {
  readonly route: Route;
  readonly rule: RouteRule;
  readonly match: RankedMatch;
}

/** Namespaces whose own (consumer) routes change what their callers see of this service. */
export const consumerNamespaces = (world: World, service: ServiceDefinition): ReadonlySet<string> => {
  const namespaces = new Set<string>();
  for (const route of world.routesOf(serviceKey(service.name, service.namespace)))
    if (route.metadata.namespace !== service.namespace) namespaces.add(route.metadata.namespace ?? '');
  return namespaces;
};

/**
 * A route in the service's namespace (producer) holds for all callers, one in another namespace (consumer) for the callers
 * there, who then see only consumer routes. Gateway API GEP-1426. A Hessian port is one of HTTP too: there HTTP routes hold until there is an RPCRoute.
 */
export const compileRoutes = (
  world: World,
  service: ServiceDefinition,
  port: DefinedPort,
  callers: string,
  policy: MergedPolicy,
): readonly RouteView[] => {
  // Routes are about requests; a TCP connection has none.
  if (port.protocol === 'tcp') return [];
  const all = [...world.routesOf(serviceKey(service.name, service.namespace))].filter(route =>
    isAttached(route, service, port),
  );
  const rpc = all.filter(({ kind }) => kind === 'RPCRoute');
  const byCall = port.protocol === 'thrift' || (port.protocol === 'hessian' && rpc.length > 0);
  const attached = byCall ? rpc : all.filter(({ kind }) => kind !== 'RPCRoute');
  const consumer = attached.filter(
    ({ metadata }) => metadata.namespace === callers && metadata.namespace !== service.namespace,
  );
  const routes =
    consumer.length > 0 ? consumer : attached.filter(({ metadata }) => metadata.namespace === service.namespace);
  if (routes.length === 0) return policy.retry === null ? [] : [ownRoute(service, port, policy)];
  const candidates = routes
    .sort(byAge)
    .flatMap(route =>
      routeRules(route, port.protocol).flatMap(rule => rule.matches.map(match => ({ route, rule, match }))),
    )
    // Stable: among equals the older route, the first rule and the first match stay in front.
    .sort((a, b) => compareRanks(b.match.rank, a.match.rank));
  const views = mergeNeighbours(candidates).map(group => routeView(world, group, policy));
  // Calls that no rule matches go to the service itself; HTTP requests have no such way out in the Gateway API.
  return byCall ? [...views, ownRoute(service, port, policy)] : views;
};

/** Whether one of the parents of the route is this port. */
export const isAttached = (route: Route, service: ServiceDefinition, port: DefinedPort): boolean =>
  serviceParents(route).some(
    parent =>
      parent.name === service.name &&
      (parent.namespace ?? route.metadata.namespace) === service.namespace &&
      (parent.port === undefined || parent.port === port.port) &&
      (parent.sectionName === undefined || parent.sectionName === port.name),
  );

const compareRanks = (a: Rank, b: Rank): number => {
  for (const [i, left] of a.entries()) {
    const right = b[i] ?? 0;
    if (left !== right) return left - right;
  }
  return 0;
};

/** Matches of one rule that stand side by side become one route. */
const mergeNeighbours = (candidates: readonly Candidate[]): readonly (readonly Candidate[])[] => {
  const groups: Candidate[][] = [];
  for (const candidate of candidates) {
    const last = groups.at(-1);
    if (last?.[0]?.rule === candidate.rule) last.push(candidate);
    else groups.push([candidate]);
  }
  return groups;
};

const routeView = (world: World, group: readonly Candidate[], policy: MergedPolicy): RouteView => {
  const { route, rule } = group[0]!;
  return {
    name: rule.name,
    matches: group.map(({ match }) => match.view),
    filters: rule.filters,
    backends: rule.backends.map(
      (backend): BackendView => ({
        service: resolveBackend(world, route, backend) === undefined ? backendKey(route, backend) : null,
        port: backend.port ?? 0,
        weight: backend.weight,
        filters: backend.views,
      }),
    ),
    requestTimeoutMs: rule.requestTimeoutMs,
    attemptTimeoutMs: rule.attemptTimeoutMs,
    retry: rule.retry ?? policy.retry,
    ...(rule.fault === undefined ? {} : { fault: rule.fault }),
    ...mirrorView(world, route, rule),
    ...(rule.oneway === true ? { oneway: true } : {}),
  };
};

/** A mirror that does not resolve gets nothing; the route's status says so. */
const mirrorView = (world: World, route: Route, { mirror }: RouteRule): Pick<RouteView, 'mirror'> => {
  if (mirror === undefined || resolveBackend(world, route, mirror.backendRef) !== undefined) return {};
  const { backendRef, percent } = mirror;
  return { mirror: { service: backendKey(route, backendRef), port: backendRef.port ?? 0, percent } };
};

export interface UnresolvedBackend {
  readonly reason: 'BackendNotFound' | 'RefNotPermitted';
  readonly message: string;
}

/** Undefined: the reference resolves. */
export const resolveBackend = (
  world: World,
  route: Route,
  backend: { readonly name: string; readonly namespace?: string; readonly port?: number },
): UnresolvedBackend | undefined => {
  const key = backendKey(route, backend);
  if (!isGranted(world, route, backend))
    return {
      reason: 'RefNotPermitted',
      message: `No ReferenceGrant in the namespace ${backend.namespace} lets a ${route.kind} of ${route.metadata.namespace} send to the Service ${backend.name}.`,
    };
  const target = defineService(world, key);
  if (target === undefined) return { reason: 'BackendNotFound', message: `There is no Service ${key}.` };
  if (!target.ports.some(port => port.port === backend.port))
    return {
      reason: 'BackendNotFound',
      message: `The Service ${key} has no port ${backend.port}; it has ${target.ports.map(port => port.port).join(', ') || 'none'}.`,
    };
  return undefined;
};

/** Sends everything to the service itself, with the policy's retry. */
const ownRoute = (service: ServiceDefinition, port: DefinedPort, { retry }: MergedPolicy): RouteView => ({
  name: '',
  matches: [],
  filters: [],
  backends: [{ service: serviceKey(service.name, service.namespace), port: port.port, weight: 1, filters: [] }],
  requestTimeoutMs: null,
  attemptTimeoutMs: 0,
  retry,
});
