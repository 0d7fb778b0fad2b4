/** `ReferenceGrant`: lets routes of other namespaces send to Services of this one. Gateway API. */

import type { ApiObject } from './object.ts';
import type { ResourceKind } from './resource-kind.ts';
import { labelName, list, object, required, subdomain, text } from './schema.ts';

export interface ReferenceGrant extends ApiObject {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'ReferenceGrant';
  readonly spec: ReferenceGrantSpec;
}

/** Any of `from` may refer to any of `to`. */
export interface ReferenceGrantSpec {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  /** Without `name`: all of that kind in the namespace of the grant. */
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}

export const REFERENCE_GRANT: ResourceKind<ReferenceGrant> = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'ReferenceGrant',
  plural: 'referencegrants',
  singular: 'referencegrant',
  shortNames: ['refgrant'],
  namespaced: true,
  writable: true,
  description: 'Lets routes of other namespaces send to Services of this one.',
  schema: {
    spec: object('Any of `from` may refer to any of `to`.', {
      from: required(
        list(
          'Who may refer.',
          object('A kind in a namespace.', {
            group: required(text('`gateway.networking.k8s.io` for routes.', { maxLength: 253 })),
            kind: required(text('`HTTPRoute`, `GRPCRoute` or `RPCRoute`.', { minLength: 1, maxLength: 63 })),
            namespace: required(labelName('Where they are.')),
          }),
          { minItems: 1, maxItems: 16 },
        ),
      ),
      to: required(
        list(
          'What they may refer to, in the namespace of the grant.',
          object('A kind, or one object.', {
            group: required(text('`""` for Services.', { maxLength: 253 })),
            kind: required(text('`Service`.', { minLength: 1, maxLength: 63 })),
            name: subdomain('One object.', { 'x-outrider-default': 'all of that kind' }),
          }),
          { minItems: 1, maxItems: 16 },
        ),
      ),
    }),
  },
  required: ['spec'],
  columns: [],
};
