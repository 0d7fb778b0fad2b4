/** `MeshConfig`: settings of the whole mesh. One object, named `default`; without it the defaults hold. */

import type { ApiObject } from './object.ts';
import type { ResourceKind } from './resource-kind.ts';
import { choice, object } from './schema.ts';
import { PATH_NORMALIZATIONS, type PathNormalization } from './snapshot.ts';

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
  /** Absent from what an earlier release has stored. */
  readonly pathNormalization?: {
    /** The normal form of paths, in which they are matched and forwarded. `DEFAULT` is `BASE`. Istio: pathNormalization.normalization. */
    readonly normalization: 'DEFAULT' | PathNormalization;
  };
}

/** The only name a MeshConfig can have. */
export const MESH_CONFIG_NAME = 'default';

/** What holds without an object. */
export const DEFAULT_MESH_CONFIG = {
  outboundTrafficPolicy: { mode: 'ALLOW_ANY' },
  pathNormalization: { normalization: 'BASE' },
} as const satisfies MeshConfigSpec;

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
        pathNormalization: object(
          'The normal form of paths: the one in which requests are matched and forwarded.',
          {
            normalization: choice(
              '`BASE` resolves `.` and `..`, takes `\\` for `/` and gives escapes one spelling (RFC 3986); `MERGE_SLASHES` also makes one `/` of several; `DECODE_AND_MERGE_SLASHES` also takes `%2F` and `%5C` for `/`; `NONE` leaves paths as they are; `DEFAULT` is `BASE`.',
              ['DEFAULT', ...PATH_NORMALIZATIONS],
              { default: DEFAULT_MESH_CONFIG.pathNormalization.normalization },
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
