/** What routes refer to, and whether they may. */
import type { ParentReference } from '../../api/route-parts.ts';
import { type Route, serviceKey, type World } from './world.ts';

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
  (route.spec.rules ?? []).flatMap((rule): readonly BackendTarget[] => rule.backendRefs ?? []);

export const backendKey = (route: Route, backend: BackendTarget): string =>
  serviceKey(backend.name, backend.namespace ?? route.metadata.namespace ?? '');

/** Whether a route may send to a Service: always in its own namespace, elsewhere when a ReferenceGrant there says so. */
export const isGranted = (world: World, route: Route, backend: BackendTarget): boolean => {
  const from = route.metadata.namespace ?? '';
  const to = backend.namespace ?? from;
  if (from === to) return true;
  for (const { spec } of world.grantsIn(to)) {
    const mayRefer = spec.from.some(
      each => each.group === 'gateway.networking.k8s.io' && each.kind === route.kind && each.namespace === from,
    );
    const mayBeReferred = spec.to.some(
      each => each.group === '' && each.kind === 'Service' && (each.name === undefined || each.name === backend.name),
    );
    if (mayRefer && mayBeReferred) return true;
  }
  return false;
};
