/** What routes refer to. */
import type { GrpcRouteFilter } from '../../api/grpc-route.ts';
import type { HttpRouteFilter } from '../../api/http-route.ts';
import type { ParentReference, RequestMirror } from '../../api/route-parts.ts';
import { type Route, serviceKey } from './route.ts';

/** A backend reference without what only one kind of route has. */
export interface BackendTarget {
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
}

/** Services that the route attaches to, each once. Parents of other kinds have no effect in a mesh. */
export const parentKeys = (route: Route): ReadonlySet<string> =>
  new Set(
    serviceParents(route).map(parent => serviceKey(parent.name, parent.namespace ?? route.metadata.namespace ?? '')),
  );

export const serviceParents = (route: Route): readonly ParentReference[] =>
  (route.spec.parentRefs ?? []).filter(parent => parent.group === '' && parent.kind === 'Service');

/** Services that the route sends to, each once. */
export const backendKeys = (route: Route): ReadonlySet<string> =>
  new Set(routeBackends(route).map(backend => backendKey(route, backend)));

export const routeBackends = (route: Route): readonly BackendTarget[] =>
  (route.spec.rules ?? []).flatMap((rule): readonly BackendTarget[] => {
    const to = mirrorOf(rule)?.backendRef;
    return [...(rule.backendRefs ?? []), ...(to === undefined ? [] : [to])];
  });

/** Where copies of what a rule matches go: a filter in the Gateway API's routes, a member in RPCRoute. */
export const mirrorOf = (rule: {
  readonly filters?: readonly (HttpRouteFilter | GrpcRouteFilter)[];
  readonly mirror?: RequestMirror;
}): RequestMirror | undefined =>
  rule.mirror ?? rule.filters?.find(filter => filter.type === 'RequestMirror')?.requestMirror;

export const backendKey = (route: Route, backend: BackendTarget): string =>
  serviceKey(backend.name, backend.namespace ?? route.metadata.namespace ?? '');
