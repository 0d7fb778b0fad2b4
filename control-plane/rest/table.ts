/** Lists as tables, for `kubectl get` and our own. Kubernetes meta/v1 Table. */

import type { ApiObject, Stored } from '../../api/object.ts';
import type { ResourceKind } from '../../api/resource-kind.ts';

/** What stands beside the cells of a row. */
export type RowObject = 'None' | 'Metadata' | 'Object';

/** Whether an Accept header prefers tables. */
export const wantsTable = (accept: string | undefined): boolean =>
  (accept ?? '').split(',').some(part => {
    const parameters = part.split(';').map(each => each.trim());
    return parameters.includes('as=Table') && parameters.includes('v=v1') && parameters.includes('g=meta.k8s.io');
  });

export const tableOf = (
  kind: ResourceKind,
  objects: readonly Stored[],
  metadata: Readonly<Record<string, unknown>>,
  rowObject: RowObject,
  wallMs: number,
): object => ({
  kind: 'Table',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
  columnDefinitions: [
    { name: 'Name', type: 'string', format: 'name', description: 'metadata.name', priority: 0 },
    ...kind.columns.map(({ name, description, priority }) => ({
      name,
      type: 'string',
      format: '',
      description,
      priority,
    })),
    { name: 'Age', type: 'string', format: '', description: 'metadata.creationTimestamp', priority: 0 },
  ],
  rows: objects.map(object => ({
    cells: [
      object.metadata.name,
      ...kind.columns.map(column => column.cell(object as ApiObject)),
      formatAge(wallMs - Date.parse(object.metadata.creationTimestamp)),
    ],
    ...(rowObject === 'None' ? {} : { object: rowObject === 'Object' ? object : partial(object) }),
  })),
});

const partial = ({ metadata }: Stored) => ({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata });

/** As kubectl writes ages: `45s`, `12m`, `5h`, `3d`; two units while the first is small. */
const formatAge = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  if (days < 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 730) return `${days}d`;
  return `${Math.floor(days / 365)}y`;
};
