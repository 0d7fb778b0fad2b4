/** One service as callers of one namespace see it, with the versions of its two halves. */
import type { ServiceVersions } from '../../api/discovery.ts';
import type { EndpointView, PolicyView, PortView, ServiceView } from '../../api/snapshot.ts';
import { contentVersion } from '../../common/content-version.ts';
import { compileEndpoints } from './endpoints.ts';
import { compilePolicy } from './policy.ts';
import { serviceKey } from './route.ts';
import { compileRoutes } from './routes.ts';
import type { DefinedPort, ServiceDefinition } from './service-definition.ts';
import type { World } from './world.ts';

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

export interface CompiledService {
  /** `service.namespace` */
  readonly key: string;
  readonly versions: ServiceVersions;
  readonly config: Omit<ServiceView, 'endpoints'>;
  readonly endpoints: readonly EndpointView[];
  /** The two halves as JSON, made once for all sidecars. */
  readonly configJson: string;
  readonly endpointsJson: string;
  /** Services that its routes send to. */
  readonly backends: readonly string[];
}

/** `callers`: namespace of the callers; it matters only where they have routes of their own for this service. */
export const compileService = (
  world: World,
  service: ServiceDefinition,
  callers: string,
  trustDomain: string,
): CompiledService => {
  const { name, namespace, addresses } = service;
  const ports = service.ports.map(port => {
    const policy = compilePolicy(world, namespace, name, port.name);
    return {
      port: port.port,
      name: port.name,
      protocol: port.protocol,
      ...(port.assumed ? { assumed: true as const } : {}),
      ...externalAuthority(service, port, policy.view),
      routes: compileRoutes(world, service, port, callers, policy),
      policy: policy.view,
    };
  });
  return finish(
    serviceKey(name, namespace),
    { name, namespace, addresses, ports },
    compileEndpoints(world, service, trustDomain),
  );
};

/** Servers outside know themselves by their own name, not by that of the Service. The port is told unless it is the usual one. */
const externalAuthority = (
  { externalName }: ServiceDefinition,
  { target }: DefinedPort,
  { tls }: PolicyView,
): Pick<PortView, 'authority'> => {
  if (externalName === '') return {};
  const usual = tls === undefined ? HTTP_PORT : HTTPS_PORT;
  return { authority: target === usual ? externalName : `${externalName}:${target}` };
};

/** Adds versions, JSON and references. */
export const finish = (
  key: string,
  config: Omit<ServiceView, 'endpoints'>,
  endpoints: readonly EndpointView[],
): CompiledService => {
  const configJson = JSON.stringify(config);
  const endpointsJson = JSON.stringify(endpoints);
  const backends = new Set<string>();
  for (const { routes } of config.ports)
    for (const { backends: split, mirror } of routes) {
      for (const { service } of split) if (service !== null) backends.add(service);
      if (mirror !== undefined) backends.add(mirror.service);
    }
  backends.delete(key);
  return {
    key,
    versions: [contentVersion(configJson), contentVersion(endpointsJson)],
    config,
    endpoints,
    configJson,
    endpointsJson,
    backends: [...backends],
  };
};
