/** `PeerAuthentication`: whether inbound connections must be mTLS. Istio's shape. */

import { type ApiObject, labelMap } from './object.ts';
import type { Cause, ResourceKind } from './resource-kind.ts';
import { choice, map, object, required, type Schema } from './schema.ts';
import { MTLS_MODES, type MtlsMode } from './snapshot.ts';

export interface PeerAuthentication extends ApiObject {
  readonly apiVersion: 'outrider.mesh/v1';
  readonly kind: 'PeerAuthentication';
  readonly spec: PeerAuthenticationSpec;
}

export interface PeerAuthenticationSpec {
  /** Workloads of the namespace; absent: all of them, in `outrider-system` those of the whole mesh. */
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
  /** Absent: as a wider policy says, finally `STRICT`. */
  readonly mtls?: { readonly mode: MtlsMode };
  /** App port (as a string, since it is a JSON key) to its own mode. Needs a selector. */
  readonly portLevelMtls?: Readonly<Record<string, { readonly mode: MtlsMode }>>;
}

const mtls = (description: string, more: Schema = {}): Schema =>
  object(
    description,
    {
      mode: required(
        choice(
          '`STRICT`: only mTLS from the mesh. `PERMISSIVE`: plain text too. `DISABLE`: plain text only: peers call the port of the app itself, without mTLS, and TLS that arrives there is for the app.',
          MTLS_MODES,
        ),
      ),
    },
    more,
  );

export const PEER_AUTHENTICATION: ResourceKind<PeerAuthentication> = {
  group: 'outrider.mesh',
  version: 'v1',
  kind: 'PeerAuthentication',
  plural: 'peerauthentications',
  singular: 'peerauthentication',
  shortNames: ['pa'],
  namespaced: true,
  writable: true,
  description:
    'Whether inbound connections must be mTLS. With a selector it holds for workloads, without one for the namespace, in `outrider-system` for the mesh; the narrower one wins.',
  schema: {
    spec: object(
      'The rule.',
      {
        selector: object(
          'The workloads that are meant.',
          { matchLabels: required(labelMap('Labels that they have.', { minProperties: 1 })) },
          { 'x-outrider-default': 'all workloads of the namespace; in `outrider-system` all of the mesh' },
        ),
        mtls: mtls('For all ports.', { 'x-outrider-default': 'as a wider policy says, finally `STRICT`' }),
        portLevelMtls: map('By app port; needs a selector.', mtls('For this port.'), {
          minProperties: 1,
          propertyNames: { pattern: '^[1-9][0-9]{0,4}$', 'x-outrider-expects': 'a port number' },
        }),
      },
      { default: {} },
    ),
  },
  required: [],
  columns: [{ name: 'Mode', description: 'spec.mtls.mode', priority: 0, cell: ({ spec }) => spec.mtls?.mode ?? '' }],
  check: ({ metadata, spec }) => {
    const causes: Cause[] = [];
    if (spec.portLevelMtls !== undefined && spec.selector === undefined)
      causes.push({
        field: 'spec.selector',
        message: 'must be set, because portLevelMtls is: ports belong to workloads',
        reason: 'FieldValueRequired',
      });
    if (metadata.namespace === 'outrider-system' && spec.selector !== undefined)
      causes.push({
        field: 'spec.selector',
        message: 'must be absent in outrider-system, where a policy holds for the whole mesh',
        reason: 'FieldValueForbidden',
      });
    return causes;
  },
};
