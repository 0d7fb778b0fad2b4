/** The instances behind a service that may get requests, as callers dial them. */
import { isIPv6 } from 'node:net';
import type { Stored } from '../../api/object.ts';
import type { EndpointView } from '../../api/snapshot.ts';
import type { Workload } from '../../api/workload.ts';
import { plainPorts } from './mtls.ts';
import { type DefinedPort, matchesTarget, type ServiceDefinition } from './service-definition.ts';
import type { World } from './world.ts';

/** Unhealthy and draining instances are left out, and those that serve none of the ports. */
export const compileEndpoints = (
  world: World,
  service: ServiceDefinition,
  trustDomain: string,
): readonly EndpointView[] => {
  if (service.externalName !== '') return externalEndpoints(service);
  return service.members.flatMap(workload => workloadEndpoints(world, workload, service.ports, trustDomain));
};

/** One endpoint behind a sidecar; one for each app port that is dialled itself, without a sidecar or where a PeerAuthentication says DISABLE. */
export const workloadEndpoints = (
  world: World,
  workload: Stored<Workload>,
  ports: readonly DefinedPort[],
  trustDomain: string,
): readonly EndpointView[] => {
  const { metadata, spec, status } = workload;
  if (status?.health === 'Unhealthy' || status?.health === 'Draining') return [];
  const appPorts: [service: string, app: number][] = ports.flatMap(({ port, target }) => {
    const served = spec.ports.find(each => matchesTarget(each, target));
    return served === undefined ? [] : [[String(port), served.port] as [string, number]];
  });
  if (appPorts.length === 0) return [];
  const common = {
    weight: spec.weight,
    workload: metadata.name,
    labels: metadata.labels ?? {},
    locality: spec.locality ?? '',
  };
  const { sidecarPort, serviceAccount } = spec;
  const hasSidecar = sidecarPort !== undefined && serviceAccount !== undefined;
  const plain = hasSidecar ? plainPorts(world, workload) : undefined;
  const isDialled = (app: number): boolean => plain?.has(app) ?? true;
  const behind = appPorts.filter(([, app]) => !isDialled(app));
  const dialled = [...new Set(appPorts.map(([, app]) => app))].filter(isDialled).map(app => ({
    address: hostPort(spec.address, app),
    identity: null,
    ports: Object.fromEntries(appPorts.filter(([, other]) => other === app)),
    ...common,
  }));
  if (!hasSidecar || behind.length === 0) return dialled;
  const identity = `spiffe://${trustDomain}/ns/${metadata.namespace}/sa/${serviceAccount}`;
  const address = hostPort(spec.address, sidecarPort);
  return [{ address, identity, ports: Object.fromEntries(behind), ...common }, ...dialled];
};

/** One for each port that is dialled. */
const externalEndpoints = ({ name, externalName, ports }: ServiceDefinition): readonly EndpointView[] => {
  const dialled = ports.flatMap(({ port, target }) => (typeof target === 'string' ? [] : [{ port, target }]));
  return [...new Set(dialled.map(({ target }) => target))].map(target => ({
    address: hostPort(externalName, target),
    identity: null,
    ports: Object.fromEntries(dialled.filter(each => each.target === target).map(({ port }) => [String(port), target])),
    weight: 1,
    workload: name,
    labels: {},
    locality: '',
  }));
};

/** IPv6 addresses in brackets. */
const hostPort = (host: string, port: number): string => (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`);
