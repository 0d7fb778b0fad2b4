/**
 * The objects that translation reads, indexed by how they refer to each other. Fed with the events of the store, in
 * order; each event names the services whose view it may change, so that nothing else has to be looked at again.
 */
import { DEFAULT_MESH_CONFIG, type MeshConfig, type MeshConfigSpec } from '../../api/mesh-config.ts';
import { SYSTEM_NAMESPACE } from '../../api/namespace.ts';
import type { Stored } from '../../api/object.ts';
import type { PeerAuthentication } from '../../api/peer-authentication.ts';
import type { ReferenceGrant } from '../../api/reference-grant.ts';
import type { Service } from '../../api/service.ts';
import type { TrafficPolicy } from '../../api/traffic-policy.ts';
import type { Workload } from '../../api/workload.ts';
import { MultiMap } from './multi-map.ts';
import { backendKeys, parentKeys } from './references.ts';
import { instanceKey, type Route, serviceKey } from './route.ts';

/** What an event may have changed. */
export interface Touched {
  /** `service.namespace`; 'all': every one. */
  readonly services: ReadonlySet<string> | 'all';
  /** Hosts whose meaning as an original destination may have changed. */
  readonly hosts: ReadonlySet<string>;
  /** What else sessions are interested in. */
  readonly keys?: readonly string[];
  /** Routes whose status may have changed. */
  readonly routes: ReadonlySet<Route>;
  /** The mesh's own settings. */
  readonly mesh: boolean;
}

export interface WorldEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Stored;
}

const NOTHING: Touched = { services: new Set(), hosts: new Set(), routes: new Set(), mesh: false };

/** Owned by the publisher; lives as long as it. */
export class World {
  readonly #services = new Map<string, Stored<Service>>();
  readonly #servicesByNamespace = new MultiMap<string, Stored<Service>>();
  readonly #workloads = new Map<string, Stored<Workload>>();
  readonly #workloadsByNamespace = new MultiMap<string, Stored<Workload>>();
  /** By the service that `spec.service` names. */
  readonly #workloadsByService = new MultiMap<string, Stored<Workload>>();
  readonly #workloadsByHost = new MultiMap<string, Stored<Workload>>();
  /** By cluster IP, or the name of a server outside. */
  readonly #servicesByHost = new MultiMap<string, Stored<Service>>();
  readonly #routes = new Map<string, Route>();
  readonly #routesByParent = new MultiMap<string, Route>();
  readonly #routesByBackend = new MultiMap<string, Route>();
  readonly #grants = new Map<string, Stored<ReferenceGrant>>();
  readonly #grantsByNamespace = new MultiMap<string, Stored<ReferenceGrant>>();
  readonly #policies = new Map<string, Stored<TrafficPolicy>>();
  readonly #policiesByNamespace = new MultiMap<string, Stored<TrafficPolicy>>();
  readonly #peerAuthentications = new Map<string, Stored<PeerAuthentication>>();
  readonly #peerAuthenticationsByNamespace = new MultiMap<string, Stored<PeerAuthentication>>();
  readonly #namespaces = new Set<string>();
  #mesh: MeshConfigSpec = DEFAULT_MESH_CONFIG;

  get mesh(): MeshConfigSpec {
    return this.#mesh;
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name);
  }

  service(key: string): Stored<Service> | undefined {
    return this.#services.get(key);
  }

  servicesIn(namespace: string): Iterable<Stored<Service>> {
    return this.#servicesByNamespace.get(namespace);
  }

  /** Workloads that name the service themselves. */
  workloadsNaming(key: string): Iterable<Stored<Workload>> {
    return this.#workloadsByService.get(key);
  }

  workloadsIn(namespace: string): Iterable<Stored<Workload>> {
    return this.#workloadsByNamespace.get(namespace);
  }

  workload(namespace: string, name: string): Stored<Workload> | undefined {
    return this.#workloads.get(`${namespace}/${name}`);
  }

  workloadsAt(host: string): Iterable<Stored<Workload>> {
    return this.#workloadsByHost.get(host);
  }

  servicesAt(host: string): Iterable<Stored<Service>> {
    return this.#servicesByHost.get(host);
  }

  routesOf(key: string): Iterable<Route> {
    return this.#routesByParent.get(key);
  }

  routes(): Iterable<Route> {
    return this.#routes.values();
  }

  grantsIn(namespace: string): Iterable<Stored<ReferenceGrant>> {
    return this.#grantsByNamespace.get(namespace);
  }

  policiesIn(namespace: string): Iterable<Stored<TrafficPolicy>> {
    return this.#policiesByNamespace.get(namespace);
  }

  peerAuthenticationsIn(namespace: string): Iterable<Stored<PeerAuthentication>> {
    return this.#peerAuthenticationsByNamespace.get(namespace);
  }

  /** Takes one event of the store. Kinds that translation does not read touch nothing. */
  apply({ type, object }: WorldEvent): Touched {
    const gone = type === 'DELETED';
    switch (object.kind) {
      case 'Service':
        return this.#applyService(object as Stored<Service>, gone);
      case 'Workload':
        return this.#applyWorkload(object as Stored<Workload>, gone);
      case 'HTTPRoute':
      case 'GRPCRoute':
      case 'RPCRoute':
        return this.#applyRoute(object as Route, gone);
      case 'ReferenceGrant':
        return this.#applyGrant(object as Stored<ReferenceGrant>, gone);
      case 'TrafficPolicy':
        return this.#applyPolicy(object as Stored<TrafficPolicy>, gone);
      case 'Namespace':
        if (gone) this.#namespaces.delete(object.metadata.name);
        else this.#namespaces.add(object.metadata.name);
        return NOTHING;
      case 'PeerAuthentication':
        return this.#applyPeerAuthentication(object as Stored<PeerAuthentication>, gone);
      case 'MeshConfig':
        this.#mesh = gone ? DEFAULT_MESH_CONFIG : (object as Stored<MeshConfig>).spec;
        return { ...NOTHING, mesh: true };
      default:
        return NOTHING;
    }
  }

  #applyService(next: Stored<Service>, gone: boolean): Touched {
    const namespace = next.metadata.namespace ?? '';
    const key = serviceKey(next.metadata.name, namespace);
    const old = this.#services.get(key);
    if (old) {
      this.#servicesByNamespace.delete(namespace, old);
      for (const host of serviceHosts(old)) this.#servicesByHost.delete(host, old);
      this.#services.delete(key);
    }
    if (!gone) {
      this.#services.set(key, next);
      this.#servicesByNamespace.add(namespace, next);
      for (const host of serviceHosts(next)) this.#servicesByHost.add(host, next);
    }
    const hosts = new Set([...(old ? serviceHosts(old) : []), ...serviceHosts(next)]);
    const touched = this.#touchServices(new Set([key]), hosts);
    return hasHealthChecks(this, namespace) ? { ...touched, keys: [healthChecksKey(namespace)] } : touched;
  }

  #applyWorkload(next: Stored<Workload>, gone: boolean): Touched {
    const namespace = next.metadata.namespace ?? '';
    const id = `${namespace}/${next.metadata.name}`;
    const old = this.#workloads.get(id);
    const services = new Set([instanceKey(next.metadata.name, namespace)]);
    const hosts = new Set<string>();
    if (old) {
      for (const key of this.#servicesOf(old)) services.add(key);
      hosts.add(old.spec.address);
      this.#workloadsByNamespace.delete(namespace, old);
      this.#workloadsByHost.delete(old.spec.address, old);
      if (old.spec.service) this.#workloadsByService.delete(serviceKey(old.spec.service, namespace), old);
      this.#workloads.delete(id);
    }
    if (!gone) {
      this.#workloads.set(id, next);
      this.#workloadsByNamespace.add(namespace, next);
      this.#workloadsByHost.add(next.spec.address, next);
      if (next.spec.service) this.#workloadsByService.add(serviceKey(next.spec.service, namespace), next);
      for (const key of this.#servicesOf(next)) services.add(key);
      hosts.add(next.spec.address);
    }
    // A service that nobody declared comes and goes with its workloads, and with it what routes refer to.
    return this.#touchServices(services, hosts);
  }

  /** Services that have this workload as a member, and the one that it names. */
  *#servicesOf(workload: Stored<Workload>): Iterable<string> {
    const namespace = workload.metadata.namespace ?? '';
    if (workload.spec.service) yield serviceKey(workload.spec.service, namespace);
    const labels = workload.metadata.labels ?? {};
    for (const service of this.#servicesByNamespace.get(namespace))
      if (hasSelector(service) && selects(service.spec.selector ?? {}, labels))
        yield serviceKey(service.metadata.name, namespace);
  }

  /** The services, and those whose routes send to them. */
  #touchServices(services: Set<string>, hosts: ReadonlySet<string>): Touched {
    const routes = new Set<Route>();
    for (const key of Array.from(services)) {
      for (const route of this.#routesByParent.get(key)) routes.add(route);
      for (const route of this.#routesByBackend.get(key)) {
        routes.add(route);
        for (const parent of parentKeys(route)) services.add(parent);
      }
    }
    return { services, hosts, routes, mesh: false };
  }

  #applyRoute(next: Route, gone: boolean): Touched {
    const id = `${next.kind}/${next.metadata.namespace}/${next.metadata.name}`;
    const old = this.#routes.get(id);
    const services = new Set<string>();
    if (old) {
      for (const parent of parentKeys(old)) {
        this.#routesByParent.delete(parent, old);
        services.add(parent);
      }
      for (const backend of backendKeys(old)) this.#routesByBackend.delete(backend, old);
      this.#routes.delete(id);
    }
    if (!gone) {
      this.#routes.set(id, next);
      for (const parent of parentKeys(next)) {
        this.#routesByParent.add(parent, next);
        services.add(parent);
      }
      for (const backend of backendKeys(next)) this.#routesByBackend.add(backend, next);
    }
    // Our own writes of the status come back as events: they change nothing that is translated.
    if (!gone && old?.metadata.uid === next.metadata.uid && old.metadata.generation === next.metadata.generation)
      return NOTHING;
    return { services, hosts: NOTHING.hosts, routes: gone ? NOTHING.routes : new Set([next]), mesh: false };
  }

  #applyGrant(next: Stored<ReferenceGrant>, gone: boolean): Touched {
    const namespace = next.metadata.namespace ?? '';
    replace(this.#grants, this.#grantsByNamespace, namespace, next, gone);
    const services = new Set<string>();
    const routes = new Set<Route>();
    for (const route of this.#routes.values()) {
      if (![...backendKeys(route)].some(key => key.endsWith(`.${namespace}`))) continue;
      routes.add(route);
      for (const parent of parentKeys(route)) services.add(parent);
    }
    return { services, hosts: NOTHING.hosts, routes, mesh: false };
  }

  #applyPeerAuthentication(next: Stored<PeerAuthentication>, gone: boolean): Touched {
    const namespace = next.metadata.namespace ?? '';
    const old = this.#peerAuthentications.get(`${namespace}/${next.metadata.name}`);
    replace(this.#peerAuthentications, this.#peerAuthenticationsByNamespace, namespace, next, gone);
    const keys = [`#mtls.${namespace}`];
    // Callers must know where mTLS ends and where it begins again.
    const changesCallers = disablesMtls(next) || (old !== undefined && disablesMtls(old));
    return changesCallers ? { ...NOTHING, keys, services: 'all' } : { ...NOTHING, keys };
  }

  #applyPolicy(next: Stored<TrafficPolicy>, gone: boolean): Touched {
    const namespace = next.metadata.namespace ?? '';
    const old = this.#policies.get(`${namespace}/${next.metadata.name}`);
    replace(this.#policies, this.#policiesByNamespace, namespace, next, gone);
    const targets = [old, next].map(policy => policy && (policy.spec.targetRefs ?? 'all'));
    if (namespace === SYSTEM_NAMESPACE || targets.includes('all')) return { ...NOTHING, services: 'all' };
    const services = new Set<string>();
    for (const refs of targets)
      if (Array.isArray(refs)) for (const { name } of refs) services.add(serviceKey(name, namespace));
    const checks = old?.spec.healthCheck ?? next.spec.healthCheck;
    return { ...NOTHING, services, ...(checks ? { keys: [healthChecksKey(namespace)] } : {}) };
  }
}

/** What sidecars of this namespace are interested in for who may connect to their apps: policies of their own namespace, and of the mesh. */
export const mtlsKeys = (namespace: string): readonly string[] => [
  `#mtls.${namespace}`,
  ...(namespace === SYSTEM_NAMESPACE ? [] : [`#mtls.${SYSTEM_NAMESPACE}`]),
];

/** What sidecars of this namespace are interested in for the checks of their own apps. */
export const healthChecksKey = (namespace: string): string => `#health-checks.${namespace}`;

/** Most namespaces have none: then nothing else has to be looked at. */
export const hasHealthChecks = (world: World, namespace: string): boolean => {
  for (const { spec } of world.policiesIn(namespace)) if (spec.healthCheck) return true;
  for (const { spec } of world.policiesIn(SYSTEM_NAMESPACE)) if (spec.healthCheck) return true;
  return false;
};

/** Whether workloads of this namespace may be called in plain text only. Most namespaces have none: then nothing else has to be looked at. */
export const mayDisableMtls = (world: World, namespace: string): boolean =>
  [...world.peerAuthenticationsIn(namespace), ...world.peerAuthenticationsIn(SYSTEM_NAMESPACE)].some(disablesMtls);

const disablesMtls = ({ spec }: Stored<PeerAuthentication>): boolean =>
  [spec.mtls, ...Object.values(spec.portLevelMtls ?? {})].some(mtls => mtls?.mode === 'DISABLE');

/** A Service without a selector has the workloads that name it. */
export const hasSelector = (service: Stored<Service>): boolean => Object.keys(service.spec.selector ?? {}).length > 0;

/** True when every label that the selector names is there with its value. */
export const selects = (
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean => {
  for (const name in selector) if (labels[name] !== selector[name]) return false;
  return true;
};

/** Cluster IPs, each once, without the word `None` of headless Services. */
export const serviceAddresses = ({ spec }: Stored<Service>): readonly string[] =>
  [...new Set([...(spec.clusterIP ? [spec.clusterIP] : []), ...(spec.clusterIPs ?? [])])].filter(
    address => address !== 'None' && address !== '',
  );

const serviceHosts = (service: Stored<Service>): readonly string[] => {
  const { externalName } = service.spec;
  return externalName === undefined ? serviceAddresses(service) : [externalName];
};

const replace = <T extends Stored>(
  all: Map<string, T>,
  byNamespace: MultiMap<string, T>,
  namespace: string,
  next: T,
  gone: boolean,
): void => {
  const id = `${namespace}/${next.metadata.name}`;
  const old = all.get(id);
  if (old) byNamespace.delete(namespace, old);
  all.delete(id);
  if (gone) return;
  all.set(id, next);
  byNamespace.add(namespace, next);
};
