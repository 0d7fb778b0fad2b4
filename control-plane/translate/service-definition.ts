/** A service as the mesh sees it: declared by a Service object, or come into being with its first workload. */
import type { Stored } from '../../api/object.ts';
import { declaredProtocol, type Service, type ServicePort } from '../../api/service.ts';
import type { AppProtocol } from '../../api/snapshot.ts';
import type { Workload, WorkloadPort } from '../../api/workload.ts';
import { hasSelector, selects, serviceAddresses, type World } from './world.ts';

export interface DefinedPort {
  readonly port: number;
  /** '' when unnamed. */
  readonly name: string;
  readonly protocol: AppProtocol;
  /** No Service says it: `http` of a workload may be its own assumption. */
  readonly assumed: boolean;
  /** Port of the app: a number, or the name that the workload gives it. */
  readonly target: number | string;
}

export interface ServiceDefinition {
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  readonly ports: readonly DefinedPort[];
  /** By name, so that the same members make the same view. */
  readonly members: readonly Stored<Workload>[];
  /** DNS name of an `ExternalName` Service; '' otherwise. */
  readonly externalName: string;
}

/** What a port speaks when neither the Service nor the workload says so. */
const UNDECLARED: AppProtocol = 'http';

/** Undefined: there is no such service. An `ExternalName` without ports is an alias for DNS alone, and none either. */
export const defineService = (world: World, key: string): ServiceDefinition | undefined => {
  const service = world.service(key);
  const naming = [...world.workloadsNaming(key)].sort(byName);
  if (service === undefined) return naming.length > 0 ? fromWorkloads(naming) : undefined;
  if (service.spec.type === 'ExternalName')
    return (service.spec.ports ?? []).length === 0 ? undefined : define(service, []);
  return define(service, hasSelector(service) ? selected(world, service) : naming);
};

const define = (service: Stored<Service>, members: readonly Stored<Workload>[]): ServiceDefinition => ({
  name: service.metadata.name,
  namespace: service.metadata.namespace ?? '',
  addresses: serviceAddresses(service),
  ports: (service.spec.ports ?? []).map(port => definePort(port, members)),
  members,
  externalName: service.spec.externalName ?? '',
});

const selected = (world: World, service: Stored<Service>): readonly Stored<Workload>[] =>
  [...world.workloadsIn(service.metadata.namespace ?? '')]
    .filter(workload => selects(service.spec.selector ?? {}, workload.metadata.labels ?? {}))
    .sort(byName);

const definePort = (port: ServicePort, members: readonly Stored<Workload>[]): DefinedPort => {
  const target = port.targetPort ?? port.port;
  const protocol = protocolOf(port, target, members);
  const assumed = declaredProtocol(port) === undefined && protocol === UNDECLARED;
  return { port: port.port, name: port.name ?? '', protocol, assumed, target };
};

const protocolOf = (port: ServicePort, target: number | string, members: readonly Stored<Workload>[]): AppProtocol => {
  const declared = declaredProtocol(port);
  if (declared !== undefined) return declared;
  // Said, but not known here: carried as it is.
  if (port.appProtocol !== undefined) return 'tcp';
  for (const { spec } of members) {
    const found = spec.ports.find(each => matchesTarget(each, target))?.protocol;
    if (found !== undefined) return found;
  }
  return UNDECLARED;
};

export const matchesTarget = (port: WorkloadPort, target: number | string): boolean =>
  typeof target === 'number' ? port.port === target : port.name === target;

/** The ports of all its workloads; where two disagree about one, the older workload is right. */
const fromWorkloads = (members: readonly Stored<Workload>[]): ServiceDefinition => {
  const ports = new Map<number, DefinedPort>();
  for (const { spec } of [...members].sort(byAge))
    for (const { port, name = '', protocol = UNDECLARED } of spec.ports)
      if (!ports.has(port)) ports.set(port, { port, name, protocol, assumed: protocol === UNDECLARED, target: port });
  const [first] = members;
  return {
    name: first?.spec.service ?? '',
    namespace: first?.metadata.namespace ?? '',
    addresses: [],
    ports: [...ports.values()],
    members,
    externalName: '',
  };
};

const byName = (a: Stored, b: Stored): number => (a.metadata.name < b.metadata.name ? -1 : 1);

/** Older first, then by name. Gateway API: how conflicts are decided. */
export const byAge = (a: Stored, b: Stored): number => {
  if (a.metadata.creationTimestamp !== b.metadata.creationTimestamp)
    return a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1;
  const [left, right] = [a, b].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
};
