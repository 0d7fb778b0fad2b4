import type { BackendTarget } from './references.ts';
import type { Route } from './route.ts';
import type { World } from './world.ts';

/** Whether a route may send to a Service: always in its own namespace, elsewhere when a ReferenceGrant there says so. */
export const isGranted = (world: World, route: Route, backend: BackendTarget): boolean => {
  const from = route.metadata.namespace ?? '';
  const to = backend.namespace ?? from;
  if (from === to) return true;
  const [group] = route.apiVersion.split('/');
  for (const { spec } of world.grantsIn(to)) {
    const mayRefer = spec.from.some(
      each => each.group === group && each.kind === route.kind && each.namespace === from,
    );
    const mayBeReferred = spec.to.some(
      each => each.group === '' && each.kind === 'Service' && (each.name === undefined || each.name === backend.name),
    );
    if (mayRefer && mayBeReferred) return true;
  }
  return false;
};
