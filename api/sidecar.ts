/** `Sidecar`: who is connected and what they have. Written by the control plane only. */

import type { ApiObject } from './object.ts';
import type { ResourceKind } from './resource-kind.ts';
import { choice, flag, integer, list, object, text } from './schema.ts';

export interface Sidecar extends ApiObject {
  readonly apiVersion: 'outrider.mesh/v1';
  readonly kind: 'Sidecar';
  readonly spec: SidecarSpec;
  readonly status?: SidecarStatus;
}

export interface SidecarSpec {
  /** `OUTRIDER_SERVICE`, or ''. */
  readonly service: string;
  readonly serviceAccount: string;
  /** SPIFFE id of its certificate. */
  readonly identity: string;
}

/** `config` changes with routes and policies, `endpoints` with endpoints alone; '' before the first. */
export interface SidecarVersions {
  readonly config: string;
  readonly endpoints: string;
}

export interface SidecarStatus {
  /**
   * `Synced`: has acked what it was sent last. `Stale`: has not yet. `Refused`: nacked it, and runs on what it acked before.
   * `Disconnected`: no connection for now.
   */
  readonly state: 'Synced' | 'Stale' | 'Refused' | 'Disconnected';
  /** Address of its connection to the control plane. */
  readonly peer: string;
  /** Release of Outrider that it runs. */
  readonly release: string;
  readonly ready: boolean;
  /** RFC 3339. */
  readonly connectedAt: string;
  readonly sent: SidecarVersions;
  readonly acked: SidecarVersions;
  /** RFC 3339, when `acked` last changed; '' before. */
  readonly ackedAt: string;
  /** The last refusal, while it stands. */
  readonly refused?: SidecarRefusal;
  /** RFC 3339, notAfter of its certificate. */
  readonly certificateExpiresAt: string;
  /** Its clock minus ours, in milliseconds. */
  readonly clockSkewMs: number;
  /** Names and addresses that it has asked for. */
  readonly subscriptions: readonly string[];
}

export interface SidecarRefusal {
  readonly config: string;
  readonly endpoints: string;
  /** Where in the snapshot: `services[0].ports[1].routes[0].retry`. */
  readonly path: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
}

const VERSIONS = {
  config: text('Version of routes and policies.'),
  endpoints: text('Version of endpoints.'),
};

export const SIDECAR: ResourceKind<Sidecar> = {
  group: 'outrider.mesh',
  version: 'v1',
  kind: 'Sidecar',
  plural: 'sidecars',
  singular: 'sidecar',
  shortNames: ['sc'],
  namespaced: true,
  writable: false,
  description:
    'Who is connected to the control plane, which configuration they have, or why they refused it. Read-only.',
  schema: {
    spec: object('Who it is.', {
      service: text('The service it stands before.'),
      serviceAccount: text('Its service account.'),
      identity: text('The SPIFFE id of its certificate.'),
    }),
    status: object('What it has.', {
      state: choice(
        '`Synced`: has what it was sent last. `Stale`: has not confirmed it yet. `Refused`: could not apply it, and runs on what it had. `Disconnected`: no connection for now.',
        ['Synced', 'Stale', 'Refused', 'Disconnected'],
      ),
      peer: text('Address of its connection.'),
      release: text('Release of Outrider that it runs.'),
      ready: flag('Whether it says that it is ready to serve.'),
      connectedAt: text('RFC 3339.'),
      sent: object('What it was sent last.', VERSIONS),
      acked: object('What it runs on.', VERSIONS),
      ackedAt: text('RFC 3339: when that last changed.'),
      refused: object('Why it refused what it was sent last.', {
        ...VERSIONS,
        path: text('Where in the snapshot.'),
        reason: text('Why.'),
        at: text('RFC 3339.'),
      }),
      certificateExpiresAt: text('RFC 3339.'),
      clockSkewMs: integer(
        "Its clock minus the control plane's, in milliseconds.",
        -Number.MAX_SAFE_INTEGER,
        Number.MAX_SAFE_INTEGER,
      ),
      subscriptions: list('Names and addresses that it has asked for.', text('')),
    }),
  },
  required: [],
  columns: [
    { name: 'Service', description: 'spec.service', priority: 0, cell: ({ spec }) => spec.service },
    { name: 'State', description: 'status.state', priority: 0, cell: ({ status }) => status?.state ?? '' },
    {
      name: 'Config',
      description: 'status.acked.config',
      priority: 0,
      cell: ({ status }) => status?.acked.config ?? '',
    },
    {
      name: 'Reason',
      description: 'status.refused.reason',
      priority: 0,
      cell: ({ status }) => status?.refused?.reason ?? '',
    },
    { name: 'Release', description: 'status.release', priority: 1, cell: ({ status }) => status?.release ?? '' },
    { name: 'Peer', description: 'status.peer', priority: 1, cell: ({ status }) => status?.peer ?? '' },
  ],
};
