/** `Namespace`: a space of names. Deleting one deletes what is in it. Kubernetes core/v1. */

import { type ApiObject, checkNameIsLabel } from './object.ts';
import type { ResourceKind } from './resource-kind.ts';
import { ignored, object, text } from './schema.ts';

export interface Namespace extends ApiObject {
  readonly apiVersion: 'v1';
  readonly kind: 'Namespace';
  readonly status?: { readonly phase: 'Active' };
}

/** There from the first start, and cannot be deleted. */
export const DEFAULT_NAMESPACE = 'default';

/** Policies in it hold for the whole mesh. There from the first start, and cannot be deleted. */
export const SYSTEM_NAMESPACE = 'outrider-system';

export const NAMESPACE: ResourceKind<Namespace> = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  writable: true,
  description: 'A space of names; deleting it deletes everything in it.',
  schema: {
    spec: object('Empty.', { finalizers: ignored('array', 'deletion is immediate') }),
    status: object('Kept by the control plane.', { phase: text('Always `Active`.') }),
  },
  required: [],
  initialStatus: { phase: 'Active' },
  columns: [{ name: 'Status', description: 'Always Active.', priority: 0, cell: () => 'Active' }],
  check: ({ metadata }) => checkNameIsLabel(metadata),
};
