/** `Workload`: one running instance. Sidecars register theirs; instances without a sidecar are written by hand. */

import { type ApiObject, type Condition, conditions } from './object.ts';
import type { Cause, ResourceKind } from './resource-kind.ts';
import { choice, integer, labelName, list, object, port, required, subdomain, text } from './schema.ts';
import { APP_PROTOCOLS, type AppProtocol } from './snapshot.ts';

export interface Workload extends ApiObject {
  readonly apiVersion: 'outrider.mesh/v1';
  readonly kind: 'Workload';
  readonly spec: WorkloadSpec;
  readonly status?: WorkloadStatus;
}

export interface WorkloadSpec {
  /** Host name or IP address, without a port, at which callers reach the instance. */
  readonly address: string;
  /** Ports of the app; the first one is meant when nothing says which. */
  readonly ports: readonly WorkloadPort[];
  /** The Service (same namespace) that it belongs to if that has no selector. */
  readonly service?: string;
  /** Its identity; needed with a sidecar. */
  readonly serviceAccount?: string;
  /** Port of its sidecar for mTLS; absent: there is no sidecar, and callers use the app's ports in plain text. */
  readonly sidecarPort?: number;
  /** `region/zone`. */
  readonly locality?: string;
  /** Share relative to other instances; default 1, 0 gets nothing. */
  readonly weight: number;
}

export interface WorkloadPort {
  /** '' is not allowed; absent: unnamed. */
  readonly name?: string;
  readonly port: number;
  /** Absent: as the Service says. */
  readonly protocol?: AppProtocol;
}

export interface WorkloadStatus {
  /** Absent: not reported, counts as healthy. */
  readonly health?: 'Healthy' | 'Unhealthy' | 'Draining';
  /** Name of the Sidecar object that registered it; absent: written by hand. */
  readonly sidecar?: string;
  readonly conditions?: readonly Condition[];
}

export const WORKLOAD: ResourceKind<Workload> = {
  group: 'outrider.mesh',
  version: 'v1',
  kind: 'Workload',
  plural: 'workloads',
  singular: 'workload',
  shortNames: ['wl'],
  namespaced: true,
  writable: true,
  description: 'One running instance. Sidecars register theirs; write one by hand for an instance without a sidecar.',
  schema: {
    spec: object('Where the instance is, and what it serves.', {
      address: required(
        subdomain('Host name or IP address at which callers reach it, without a port.', {
          pattern: '^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$',
          'x-outrider-expects': 'a host name or an IP address, without a port',
        }),
      ),
      ports: required(
        list(
          'The ports of the app. The first is meant where nothing says which.',
          object('A port.', {
            name: labelName("By which a Service's `targetPort` can mean it."),
            port: required(port('The port on which the app listens.')),
            protocol: choice('What the app speaks there.', APP_PROTOCOLS, {
              'x-outrider-default': 'as the Service says',
            }),
          }),
          { minItems: 1, maxItems: 100 },
        ),
      ),
      service: labelName('The Service in the same namespace that it belongs to, if that has no selector.'),
      serviceAccount: subdomain('Its identity. Needed with `sidecarPort`.'),
      sidecarPort: port('The port at which its sidecar takes mTLS.', {
        'x-outrider-default': 'no sidecar: callers use the ports of the app in plain text',
      }),
      locality: text('`region/zone`.', {
        pattern: '^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?$',
        maxLength: 128,
        'x-outrider-expects': 'a region and a zone such as "eu-west/eu-west-1a"',
      }),
      weight: integer('Share relative to the other instances. 0 gets nothing.', 0, 1_000_000, { default: 1 }),
    }),
    status: object('Kept by the control plane.', {
      health: choice('What its sidecar reports; absent counts as healthy.', ['Healthy', 'Unhealthy', 'Draining']),
      sidecar: text('The Sidecar that registered it; absent: written by hand.'),
      conditions: conditions('What the control plane found.'),
    }),
  },
  required: ['spec'],
  columns: [
    { name: 'Service', description: 'spec.service', priority: 0, cell: ({ spec }) => spec.service ?? '' },
    { name: 'Address', description: 'spec.address', priority: 0, cell: ({ spec }) => spec.address },
    {
      name: 'Ports',
      description: 'spec.ports',
      priority: 0,
      cell: ({ spec }) =>
        spec.ports
          .map(each => (each.protocol === undefined ? `${each.port}` : `${each.protocol}=${each.port}`))
          .join(','),
    },
    { name: 'Health', description: 'status.health', priority: 0, cell: ({ status }) => status?.health ?? 'Healthy' },
    {
      name: 'Reason',
      description: 'Why it is not healthy, status.conditions[Healthy].message',
      priority: 1,
      cell: ({ status }) =>
        status?.conditions?.find(({ type, status: holds }) => type === 'Healthy' && holds === 'False')?.message ?? '',
    },
    {
      name: 'Service-Account',
      description: 'spec.serviceAccount',
      priority: 1,
      cell: ({ spec }) => spec.serviceAccount ?? '',
    },
    { name: 'Locality', description: 'spec.locality', priority: 1, cell: ({ spec }) => spec.locality ?? '' },
  ],
  check: ({ spec }) => {
    const causes: Cause[] = [];
    if (spec.sidecarPort !== undefined && spec.serviceAccount === undefined)
      causes.push({
        field: 'spec.serviceAccount',
        message: 'must be set, because sidecarPort is: callers check the identity of a sidecar',
        reason: 'FieldValueRequired',
      });
    for (const [i, each] of spec.ports.entries()) {
      if (spec.ports.findIndex(other => other.port === each.port) < i)
        causes.push({
          field: `spec.ports[${i}].port`,
          message: `must be unique: ${each.port} is there twice`,
          reason: 'FieldValueDuplicate',
        });
      if (each.name !== undefined && spec.ports.findIndex(other => other.name === each.name) < i)
        causes.push({
          field: `spec.ports[${i}].name`,
          message: `must be unique: another port is named "${each.name}"`,
          reason: 'FieldValueDuplicate',
        });
    }
    return causes;
  },
};
