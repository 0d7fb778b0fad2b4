/** `ServiceAccount`: an identity that workloads can have. Kubernetes core/v1. */

import type { ApiObject } from './object.ts';
import type { ResourceKind } from './resource-kind.ts';
import { ignored } from './schema.ts';

export interface ServiceAccount extends ApiObject {
  readonly apiVersion: 'v1';
  readonly kind: 'ServiceAccount';
}

export const SERVICE_ACCOUNT: ResourceKind<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  namespaced: true,
  writable: true,
  description:
    'An identity, `spiffe://<trust-domain>/ns/<namespace>/sa/<name>`. Its subresource `token` hands out bootstrap tokens.',
  schema: {
    automountServiceAccountToken: ignored('boolean', 'tokens are asked for, not mounted'),
    secrets: ignored('array', 'there are no Secrets'),
    imagePullSecrets: ignored('array', 'there are no images'),
  },
  required: [],
  columns: [],
};
