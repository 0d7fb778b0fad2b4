/** `MeshConfig`: settings of the whole mesh. One object, named `default`; without it the defaults hold. */

import type { ApiObject } from './object.ts';
import type { ResourceKind } from './resource-kind.ts';
import { choice, object } from './schema.ts';

export interface MeshConfig extends ApiObject {
  readonly apiVersion: 'outrider.mesh/v1';
  readonly kind: 'MeshConfig';
  readonly spec: MeshConfigSpec;
}

export interface MeshConfigSpec {
  readonly outboundTrafficPolicy: {
    /**
     * What happens to destinations that are not in the mesh: passed through, or refused. Default `ALLOW_ANY`.
     * Istio: outboundTrafficPolicy.mode.
     */
    readonly mode: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  };
}

/** The only name a MeshConfig can have. */
export const MESH_CONFIG_NAME = 'default';

/** What holds without an object. */
export const DEFAULT_MESH_CONFIG: MeshConfigSpec = { outboundTrafficPolicy: { mode: 'ALLOW_ANY' } };

export const MESH_CONFIG: ResourceKind<MeshConfig> = {
  group: 'outrider.mesh',
  version: 'v1',
  kind: 'MeshConfig',
  plural: 'meshconfigs',
  singular: 'meshconfig',
  shortNames: [],
  namespaced: false,
  writable: true,
  description: 'Settings of the whole mesh: one object, named `default`.',
  schema: {
    spec: object(
      'The settings.',
      {
        outboundTrafficPolicy: object(
          'Destinations that are not in the mesh.',
          {
            mode: choice(
              '`ALLOW_ANY` passes connections to them through, `REGISTRY_ONLY` refuses them.',
              ['ALLOW_ANY', 'REGISTRY_ONLY'],
              { default: DEFAULT_MESH_CONFIG.outboundTrafficPolicy.mode },
            ),
          },
          { default: {} },
        ),
      },
      { default: {} },
    ),
  },
  required: [],
  columns: [
    {
      name: 'Outbound',
      description: 'spec.outboundTrafficPolicy.mode',
      priority: 0,
      cell: ({ spec }) => spec.outboundTrafficPolicy.mode,
    },
  ],
  check: ({ metadata }) =>
    metadata.name === MESH_CONFIG_NAME
      ? []
      : [
          {
            field: 'metadata.name',
            message: `must be "${MESH_CONFIG_NAME}": there is one MeshConfig`,
            reason: 'FieldValueInvalid',
          },
        ],
};
