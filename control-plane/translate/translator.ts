/** Services compiled on demand and kept until an event touches them. */
import { isIP } from 'node:net';
import { INSTANCE_SUFFIX, SNI_PREFIX } from '../../api/discovery.ts';
import { DEFAULT_MESH_CONFIG } from '../../api/mesh-config.ts';
import type { Stored } from '../../api/object.ts';
import type { Service, ServicePort } from '../../api/service.ts';
import type { PathNormalization, Snapshot } from '../../api/snapshot.ts';
import { type CompiledService, compileService, finish } from './compile-service.ts';
import { workloadEndpoints } from './endpoints.ts';
import { compilePolicy } from './policy.ts';
import { instanceKey, serviceKey } from './route.ts';
import { consumerNamespaces } from './routes.ts';
import { defineService } from './service-definition.ts';
import { type Touched, World, type WorldEvent } from './world.ts';

/** A service's compiled forms: one for all callers, or one for each namespace with routes of its own. */
interface Cached {
  readonly consumers: ReadonlySet<string>;
  readonly views: Map<string, CompiledService>;
}

/** Owned by the publisher; lives as long as it. */
export class Translator {
  readonly world = new World();
  readonly trustDomain: string;
  readonly #cache = new Map<string, Cached>();
  /** Sidecars are still on their way back after a start. */
  settling = false;

  constructor(trustDomain: string) {
    this.trustDomain = trustDomain;
  }

  get outboundPolicy(): Snapshot['outboundPolicy'] {
    return this.world.mesh.outboundTrafficPolicy.mode;
  }

  get pathNormalization(): PathNormalization {
    const { normalization } = this.world.mesh.pathNormalization ?? DEFAULT_MESH_CONFIG.pathNormalization;
    return normalization === 'DEFAULT' ? 'BASE' : normalization;
  }

  /** Takes one event of the store, and forgets what it may have changed. */
  apply(event: WorldEvent): Touched {
    const touched = this.world.apply(event);
    if (touched.services === 'all') this.#cache.clear();
    else for (const key of touched.services) this.#cache.delete(key);
    return touched;
  }

  /** The service as callers in this namespace see it; undefined when there is none. */
  view(key: string, callers: string): CompiledService | undefined {
    let cached = this.#cache.get(key);
    if (cached === undefined) {
      const service = defineService(this.world, key);
      const consumers = service ? consumerNamespaces(this.world, service) : new Set<string>();
      cached = { consumers, views: new Map() };
      this.#cache.set(key, cached);
    }
    const variant = cached.consumers.has(callers) ? callers : '';
    let view = cached.views.get(variant);
    if (view === undefined) {
      view = this.#compileInstance(key) ?? this.#compile(key, variant);
      if (view === undefined) return undefined;
      cached.views.set(variant, view);
    }
    return view;
  }

  /** Where a subscription (`service.namespace`, `address:port`, or `sni=host:port`) leads. */
  resolve(subscription: string): string | null {
    const address = parseAddress(subscription);
    if (address === undefined) return defineService(this.world, subscription) === undefined ? null : subscription;
    for (const service of this.world.servicesAt(address.host))
      if (service.spec.ports?.some(each => portAt(service, each) === address.port))
        return serviceKey(service.metadata.name, service.metadata.namespace ?? '');
    for (const workload of this.world.workloadsAt(address.host))
      if (workload.spec.ports.some(({ port }) => port === address.port))
        return instanceKey(workload.metadata.name, workload.metadata.namespace ?? '');
    return null;
  }

  /** A name to which nothing leads may belong to a service whose sidecars have not registered yet. */
  mayStillCome(subscription: string): boolean {
    return this.settling && this.world.hasNamespace(subscription.slice(subscription.indexOf('.') + 1));
  }

  #compile(key: string, callers: string): CompiledService | undefined {
    const service = defineService(this.world, key);
    return service && compileService(this.world, service, callers, this.trustDomain);
  }

  /** One workload by its own address: its ports, no routes, and the policies of its namespace. */
  #compileInstance(key: string): CompiledService | undefined {
    const dot = key.lastIndexOf('.');
    const [name, namespace] = [key.slice(0, dot), key.slice(dot + 1)];
    if (!name.endsWith(INSTANCE_SUFFIX)) return undefined;
    const workload = this.world.workload(namespace, name.slice(0, -INSTANCE_SUFFIX.length));
    if (workload === undefined) return undefined;
    const policy = compilePolicy(this.world, namespace, '', '').view;
    const ports = workload.spec.ports.map(({ port, name: portName = '', protocol = 'http' as const }) => ({
      port,
      name: portName,
      protocol,
      assumed: protocol === 'http',
      target: port,
    }));
    const config = {
      name,
      namespace,
      addresses: [workload.spec.address],
      ports: ports.map(({ port, name: portName, protocol, assumed }) => ({
        port,
        name: portName,
        protocol,
        ...(assumed ? { assumed: true as const } : {}),
        routes: [],
        policy,
      })),
    };
    return finish(key, config, workloadEndpoints(this.world, workload, ports, this.trustDomain));
  }
}

/** The port at which it is called by its host: a server outside by the one that it listens on. */
const portAt = ({ spec }: Stored<Service>, { port, targetPort = port }: ServicePort): number | string =>
  spec.type === 'ExternalName' ? targetPort : port;

/** `10.0.0.1:80`, `[::1]:80`, `sni=api.example.com:443`; undefined for names of the mesh. */
export const parseAddress = (subscription: string): { readonly host: string; readonly port: number } | undefined => {
  if (subscription.startsWith(SNI_PREFIX)) {
    const [host = '', port] = subscription.slice(SNI_PREFIX.length).split(':');
    return { host, port: Number(port) };
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(subscription);
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? '';
  return isIP(host) === 0 ? undefined : { host, port: Number(match[3]) };
};
