/** Who may connect to the app of one workload, from the PeerAuthentications that hold for it. */
import { SYSTEM_NAMESPACE } from '../../api/namespace.ts';
import type { Stored } from '../../api/object.ts';
import type { PeerAuthentication } from '../../api/peer-authentication.ts';
import type { MtlsMode, MtlsView } from '../../api/snapshot.ts';
import type { Workload } from '../../api/workload.ts';
import type { OwnWorkload } from './health-checks.ts';
import { mayDisableMtls, selects, type World } from './world.ts';

/**
 * The narrowest policy that says something wins: of the workload, of its namespace, of the mesh; of several of one width the oldest, as in Istio.
 * Undefined: nothing differs from the default, `STRICT`.
 */
export const compileMtls = (
  world: World,
  { namespace, labels }: Pick<OwnWorkload, 'namespace' | 'labels'>,
): MtlsView | undefined => {
  const own = [...world.peerAuthenticationsIn(namespace)];
  const widths = [
    own.filter(({ spec }) => spec.selector !== undefined && selects(spec.selector.matchLabels, labels)),
    own.filter(({ spec }) => spec.selector === undefined),
    [...world.peerAuthenticationsIn(SYSTEM_NAMESPACE)],
  ].map(policies => policies.sort(byAge));
  const mode = widths.flat().find(({ spec }) => spec.mtls !== undefined)?.spec.mtls?.mode ?? 'STRICT';
  const ports: Record<string, MtlsMode> = {};
  for (const { spec } of (widths[0] ?? []).reverse())
    for (const [port, own] of Object.entries(spec.portLevelMtls ?? {})) ports[port] = own.mode;
  return mode === 'STRICT' && Object.keys(ports).length === 0 ? undefined : { mode, ports };
};

/** Ports of the app that peers call in plain text, as everybody else. */
export const plainPorts = (world: World, { metadata, spec }: Stored<Workload>): ReadonlySet<number> => {
  const { namespace = '', labels = {} } = metadata;
  if (!mayDisableMtls(world, namespace)) return NONE;
  const mtls = compileMtls(world, { namespace, labels });
  const plain = spec.ports.filter(({ port }) => (mtls?.ports[port] ?? mtls?.mode) === 'DISABLE');
  return new Set(plain.map(({ port }) => port));
};

const NONE: ReadonlySet<number> = new Set();

const byAge = (a: Stored<PeerAuthentication>, b: Stored<PeerAuthentication>): number =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
  a.metadata.name.localeCompare(b.metadata.name);
