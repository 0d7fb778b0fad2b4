/** Kinds as people type them, and where they are. */

import { KINDS } from '../api/kinds.ts';
import type { ResourceKind } from '../api/resource-kind.ts';
import { isClose } from '../common/is-close.ts';
import { Failure } from './failure.ts';

/** `svc`, `service`, `Services`, `httproutes.gateway.networking.k8s.io`. @throws Failure that says which was meant, or lists the kinds. */
export const findKind = (text: string): ResourceKind => {
  const typed = text.toLowerCase();
  const found = KINDS.find(kind => namesOf(kind).includes(typed));
  if (found !== undefined) return found;
  const meant = KINDS.find(kind => namesOf(kind).some(name => name.length > 3 && isClose(name, typed)));
  throw new Failure(
    meant === undefined
      ? `there is no kind "${text}"; the kinds are ${KINDS.map(kind => kind.plural).join(', ')}`
      : `there is no kind "${text}"; did you mean "${meant.plural}"?`,
  );
};

const namesOf = (kind: ResourceKind): readonly string[] =>
  [kind.plural, kind.singular, kind.kind.toLowerCase(), ...kind.shortNames].flatMap(each => [
    each,
    `${each}.${kind.group}`,
  ]);

/** The path of the collection; `namespace` undefined: of all namespaces. */
export const collectionPath = (kind: ResourceKind, namespace: string | undefined): string => {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  return kind.namespaced && namespace !== undefined
    ? `${root}/namespaces/${encodeURIComponent(namespace)}/${kind.plural}`
    : `${root}/${kind.plural}`;
};

export const objectPath = (kind: ResourceKind, namespace: string, name: string): string =>
  `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;

/** `service/web`, `httproute.gateway.networking.k8s.io/web`: as kubectl names objects. */
export const displayName = (kind: ResourceKind, name: string): string =>
  `${kind.singular}${kind.group === '' ? '' : `.${kind.group}`}/${name}`;
