/** What a route's status says: whether it has effect, and whether everything that it names is there. Pure. */
import type { Condition } from '../../api/object.ts';
import { CONTROLLER_NAME, type ParentReference, type RouteParentStatus } from '../../api/route-parts.ts';
import { routeBackends, serviceParents } from './references.ts';
import { type Route, serviceKey } from './route.ts';
import { resolveBackend } from './routes.ts';
import { defineService } from './service-definition.ts';
import type { World } from './world.ts';

type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** One entry for each Service among the parents. Conditions that say what they said keep their `lastTransitionTime`. */
export const routeStatus = (world: World, route: Route, wallMs: number): readonly RouteParentStatus[] => {
  const resolved = resolvedRefs(world, route);
  return serviceParents(route).map(parent => {
    const old = route.status?.parents.find(each => isSameParent(each.parentRef, parent))?.conditions ?? [];
    return {
      parentRef: parent,
      controllerName: CONTROLLER_NAME,
      conditions: [accepted(world, route, parent), resolved].map(finding => {
        const before = old.find(each => each.type === finding.type);
        return {
          ...finding,
          lastTransitionTime:
            before?.status === finding.status
              ? before.lastTransitionTime
              : `${new Date(wallMs).toISOString().slice(0, 19)}Z`,
          observedGeneration: route.metadata.generation,
        };
      }),
    };
  });
};

const accepted = (world: World, route: Route, parent: ParentReference): Finding => {
  const key = serviceKey(parent.name, parent.namespace ?? route.metadata.namespace ?? '');
  const service = defineService(world, key);
  const refused = (message: string): Finding => ({
    type: 'Accepted',
    status: 'False',
    reason: 'NoMatchingParent',
    message,
  });
  if (service === undefined) return refused(`There is no Service ${key}.`);
  const ports = service.ports.filter(
    port =>
      (parent.port === undefined || parent.port === port.port) &&
      (parent.sectionName === undefined || parent.sectionName === port.name),
  );
  if (ports.length === 0)
    return refused(
      `The Service ${key} has no port ${parent.port ?? parent.sectionName}; it has ${service.ports.map(({ port, name }) => (name === '' ? port : `${port} (${name})`)).join(', ')}.`,
    );
  if (ports.every(port => port.protocol === 'tcp'))
    return refused(`The Service ${key} speaks plain TCP there, which has no requests to route.`);
  return { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'The route is in effect.' };
};

const resolvedRefs = (world: World, route: Route): Finding => {
  for (const backend of routeBackends(route)) {
    const unresolved = resolveBackend(world, route, backend);
    if (unresolved) return { type: 'ResolvedRefs', status: 'False', ...unresolved };
  }
  return {
    type: 'ResolvedRefs',
    status: 'True',
    reason: 'ResolvedRefs',
    message: 'Everything that it names is there.',
  };
};

const isSameParent = (a: ParentReference, b: ParentReference): boolean =>
  a.name === b.name && a.namespace === b.namespace && a.port === b.port && a.sectionName === b.sectionName;
