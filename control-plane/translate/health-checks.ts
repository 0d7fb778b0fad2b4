/** The checks that one sidecar makes of its own app: those of the Services that its workload stands behind. */
import { type HealthCheckSpec, parseStatuses } from '../../api/health-check.ts';
import type { Stored } from '../../api/object.ts';
import type { Service } from '../../api/service.ts';
import { DEFAULT_HEALTH_CHECK, type HealthCheckView, type ProbeView } from '../../api/snapshot.ts';
import type { WorkloadPort } from '../../api/workload.ts';
import { ms, policiesFor } from './policy.ts';
import { serviceKey } from './route.ts';
import { matchesTarget } from './service-definition.ts';
import { hasHealthChecks, hasSelector, selects, type World } from './world.ts';

/** A workload as its sidecar describes it. */
export interface OwnWorkload {
  readonly namespace: string;
  /** The service that it names itself; ''. */
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly WorkloadPort[];
}

/** One for each port of the app at most; where Services disagree, the one that the workload names is right. */
export const compileHealthChecks = (world: World, own: OwnWorkload): readonly HealthCheckView[] => {
  if (!hasHealthChecks(world, own.namespace)) return [];
  const checks = new Map<number, HealthCheckView>();
  for (const { name, ports } of servicesOf(world, own))
    for (const { portName, target } of ports) {
      const served = own.ports.find(each => matchesTarget(each, target));
      if (served === undefined || checks.has(served.port)) continue;
      const check = merge(policiesFor(world, own.namespace, name, portName).map(({ spec }) => spec.healthCheck));
      const view = check && healthCheckView(check, served);
      if (view) checks.set(served.port, view);
    }
  return [...new Map([...checks.values()].map(view => [JSON.stringify(view), view])).values()];
};

interface OwnService {
  readonly name: string;
  readonly ports: readonly { readonly portName: string; readonly target: number | string }[];
}

/** A service that nobody declared has the ports of its workload. */
const servicesOf = (world: World, { namespace, service, labels, ports }: OwnWorkload): readonly OwnService[] => {
  const declared = [...world.servicesIn(namespace)]
    .filter(each => (hasSelector(each) ? selects(each.spec.selector ?? {}, labels) : each.metadata.name === service))
    .sort((a, b) => rank(a, service) - rank(b, service) || (a.metadata.name < b.metadata.name ? -1 : 1))
    .map(({ metadata, spec }) => ({
      name: metadata.name,
      ports: (spec.ports ?? []).map(({ name = '', port, targetPort = port }) => ({
        portName: name,
        target: targetPort,
      })),
    }));
  if (service === '' || world.service(serviceKey(service, namespace))) return declared;
  return [
    { name: service, ports: ports.map(({ name = '', port }) => ({ portName: name, target: port })) },
    ...declared,
  ];
};

const rank = ({ metadata }: Stored<Service>, own: string): number => (metadata.name === own ? 0 : 1);

/** From the widest policy to the narrowest, field by field; a check of another kind takes the place of the whole kind. */
const merge = (specs: readonly (HealthCheckSpec | undefined)[]): HealthCheckSpec | undefined => {
  let merged: HealthCheckSpec | undefined;
  for (const spec of specs) {
    if (spec === undefined) continue;
    const { http, grpc, tcp, ...rest } = merged ?? {};
    const kind = spec.http || spec.grpc || spec.tcp ? {} : { http, grpc, tcp };
    // A narrower policy that says something means to have it, also where a wider one turned it off.
    merged = { ...kind, ...rest, enabled: true, ...spec } as HealthCheckSpec;
  }
  return merged;
};

const healthCheckView = (spec: HealthCheckSpec, served: WorkloadPort): HealthCheckView | undefined => {
  const probe = spec.enabled === false ? undefined : probeView(spec, served);
  return (
    probe && {
      port: spec.port ?? served.port,
      probe,
      intervalMs: ms(spec.interval, DEFAULT_HEALTH_CHECK.intervalMs),
      timeoutMs: ms(spec.timeout, DEFAULT_HEALTH_CHECK.timeoutMs),
      healthyThreshold: spec.healthyThreshold ?? DEFAULT_HEALTH_CHECK.healthyThreshold,
      unhealthyThreshold: spec.unhealthyThreshold ?? DEFAULT_HEALTH_CHECK.unhealthyThreshold,
    }
  );
};

const probeView = ({ http, grpc, tcp, port }: HealthCheckSpec, { protocol }: WorkloadPort): ProbeView | undefined => {
  if (http)
    return {
      kind: 'http',
      path: http.path,
      authority: http.host ?? '',
      headers: http.headers ?? [],
      statuses: (http.expectedStatuses ?? ['200-299']).flatMap(each => {
        const range = parseStatuses(each);
        return range ? [range] : [];
      }),
      // A port of its own for checks is plain HTTP/1.1 in every server that has one.
      http2: port === undefined && (protocol === 'http2' || protocol === 'grpc'),
    };
  if (grpc) return { kind: 'grpc', service: grpc.service ?? '' };
  return tcp ? { kind: 'tcp' } : undefined;
};
