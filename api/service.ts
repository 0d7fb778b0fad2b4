/** `Service`: a name with ports, and the workloads behind it. Kubernetes core/v1, as far as a mesh uses it. */

import { type ApiObject, type Condition, checkNameIsLabel, conditions, labelMap } from './object.ts';
import type { Cause, ResourceKind } from './resource-kind.ts';
import { choice, ignored, labelName, list, object, port, required, subdomain, text } from './schema.ts';
import { APP_PROTOCOLS, type AppProtocol } from './snapshot.ts';

export interface Service extends ApiObject {
  readonly apiVersion: 'v1';
  readonly kind: 'Service';
  readonly spec: ServiceSpec;
  readonly status?: { readonly conditions?: readonly Condition[] };
}

export interface ServiceSpec {
  /** Default `ClusterIP`. `NodePort` and `LoadBalancer` are `ClusterIP` here. */
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly ports?: readonly ServicePort[];
  /** Labels of its workloads; absent or empty: the workloads whose `spec.service` names it. */
  readonly selector?: Readonly<Record<string, string>>;
  /** `None`, or the address at which interception knows it. */
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  /** With type `ExternalName`: the DNS name that is meant. */
  readonly externalName?: string;
}

export interface ServicePort {
  /** Needed when there are several. */
  readonly name?: string;
  readonly port: number;
  /** Port of the app, by number or by the name that the workload gives it. Default: `port`. */
  readonly targetPort?: number | string;
  /** Default `TCP`; nothing else is carried. */
  readonly protocol: 'TCP';
  /** What the app speaks there. */
  readonly appProtocol?: string;
}

/** The names that Kubernetes and other meshes use for what we know. */
const PROTOCOL_NAMES: Readonly<Record<string, AppProtocol>> = {
  ...Object.fromEntries(APP_PROTOCOLS.map(protocol => [protocol, protocol])),
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  h2c: 'http2',
};

/**
 * What a Service says that this port speaks: its `appProtocol`, else the part of its name before the first `-` (Istio's
 * convention). Undefined when neither says anything.
 */
export const declaredProtocol = (servicePort: ServicePort): AppProtocol | undefined =>
  PROTOCOL_NAMES[servicePort.appProtocol?.toLowerCase() ?? ''] ?? PROTOCOL_NAMES[servicePort.name?.split('-')[0] ?? ''];

const IP = text('', { minLength: 1, maxLength: 45 });

export const SERVICE: ResourceKind<Service> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  namespaced: true,
  writable: true,
  description: 'A name with ports, and the workloads behind it.',
  schema: {
    spec: object('What callers see, and who serves it.', {
      type: choice(
        '`ExternalName`: an alias of a DNS name outside. The others all mean `ClusterIP`.',
        ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
        { default: 'ClusterIP' },
      ),
      ports: list(
        'The ports that callers use.',
        object('A port.', {
          name: labelName('Needed when there are several. A protocol as the part before the first `-` declares it.'),
          port: required(port('The port that callers use.')),
          targetPort: {
            description: 'The port of the app: a number, or the name that the workload gives it.',
            'x-kubernetes-int-or-string': true,
            'x-outrider-default': 'the value of `port`',
            'x-outrider-expects': 'a port from 1 to 65535 or the name of one',
          },
          protocol: choice('Transport. Only TCP is carried.', ['TCP'], { default: 'TCP' }),
          appProtocol: text(
            `What the app speaks: ${APP_PROTOCOLS.map(name => `\`${name}\``).join(', ')}, \`kubernetes.io/h2c\` (as \`http2\`) or \`kubernetes.io/ws\` (as \`http\`). Anything else is carried as \`tcp\`.`,
            { 'x-outrider-default': 'by the name, else as the workload declares it' },
          ),
          nodePort: ignored('integer', 'nodes have no ports here'),
        }),
        {
          maxItems: 100,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          'x-kubernetes-patch-strategy': 'merge',
          'x-kubernetes-patch-merge-key': 'port',
        },
      ),
      selector: labelMap('Labels that its workloads have.', {
        'x-outrider-default': 'the workloads whose `spec.service` names this Service',
      }),
      clusterIP: text('`None`, or the address by which intercepted connections mean this Service. Never assigned.'),
      clusterIPs: list('As `clusterIP`, for both address families.', IP, { maxItems: 2 }),
      externalName: subdomain('The DNS name outside that is meant; only with type `ExternalName`.'),
      externalIPs: ignored('array', 'the mesh does not announce addresses'),
      externalTrafficPolicy: ignored('string', 'nodes have no ports here'),
      internalTrafficPolicy: ignored('string', 'every healthy instance may serve'),
      trafficDistribution: ignored('string', 'a TrafficPolicy chooses the load balancing'),
      sessionAffinity: ignored('string', 'a TrafficPolicy chooses the load balancing'),
      sessionAffinityConfig: ignored('object', 'a TrafficPolicy chooses the load balancing'),
      loadBalancerIP: ignored('string', 'there is no load balancer outside the mesh'),
      loadBalancerClass: ignored('string', 'there is no load balancer outside the mesh'),
      loadBalancerSourceRanges: ignored('array', 'there is no load balancer outside the mesh'),
      allocateLoadBalancerNodePorts: ignored('boolean', 'nodes have no ports here'),
      healthCheckNodePort: ignored('integer', 'nodes have no ports here'),
      publishNotReadyAddresses: ignored('boolean', 'only healthy instances are used'),
      ipFamilies: ignored('array', 'an instance is dialled at the address that it has'),
      ipFamilyPolicy: ignored('string', 'an instance is dialled at the address that it has'),
    }),
    status: object('Kept by the control plane.', {
      conditions: conditions('What the control plane found.'),
      loadBalancer: ignored('object', 'there is no load balancer outside the mesh'),
    }),
  },
  required: ['spec'],
  columns: [
    { name: 'Type', description: 'spec.type', priority: 0, cell: service => service.spec.type },
    {
      name: 'Cluster-IP',
      description: 'spec.clusterIP',
      priority: 0,
      cell: service => service.spec.clusterIP ?? '<none>',
    },
    {
      name: 'External-IP',
      description: 'spec.externalName',
      priority: 0,
      cell: service => service.spec.externalName ?? '<none>',
    },
    {
      name: 'Port(s)',
      description: 'spec.ports',
      priority: 0,
      cell: service =>
        service.spec.ports?.map(({ port: number, protocol }) => `${number}/${protocol}`).join(',') || '<none>',
    },
    {
      name: 'Selector',
      description: 'spec.selector',
      priority: 1,
      cell: service =>
        Object.entries(service.spec.selector ?? {})
          .map(([name, value]) => `${name}=${value}`)
          .join(',') || '<none>',
    },
  ],
  check: ({ metadata, spec }) => {
    const causes: Cause[] = checkNameIsLabel(metadata);
    const ports = spec.ports ?? [];
    if (spec.type === 'ExternalName' && spec.externalName === undefined)
      causes.push({
        field: 'spec.externalName',
        message: 'must be a DNS name, because the type is ExternalName',
        reason: 'FieldValueRequired',
      });
    if (spec.type !== 'ExternalName' && spec.externalName !== undefined)
      causes.push({
        field: 'spec.externalName',
        message: 'must be absent unless the type is ExternalName',
        reason: 'FieldValueForbidden',
      });
    if (spec.type !== 'ExternalName' && ports.length === 0)
      causes.push({ field: 'spec.ports', message: 'must have at least one port', reason: 'FieldValueRequired' });
    for (const [i, each] of ports.entries()) {
      const field = `spec.ports[${i}]`;
      if (ports.length > 1 && each.name === undefined)
        causes.push({
          field: `${field}.name`,
          message: 'must be set, because there are several ports',
          reason: 'FieldValueRequired',
        });
      if (each.name !== undefined && ports.findIndex(other => other.name === each.name) < i)
        causes.push({
          field: `${field}.name`,
          message: `must be unique: another port is named "${each.name}"`,
          reason: 'FieldValueDuplicate',
        });
      if (ports.findIndex(other => other.port === each.port) < i)
        causes.push({
          field: `${field}.port`,
          message: `must be unique: ${each.port} is there twice`,
          reason: 'FieldValueDuplicate',
        });
    }
    return causes;
  },
  warn: ({ spec }) =>
    (spec.ports ?? []).flatMap((each, i) =>
      each.appProtocol !== undefined && PROTOCOL_NAMES[each.appProtocol.toLowerCase()] === undefined
        ? [`spec.ports[${i}].appProtocol: "${each.appProtocol}" is not known here and is carried as tcp`]
        : [],
    ),
};
