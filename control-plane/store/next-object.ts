/** What a write makes of an object: pure, the same for every store. */

import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ApiObject, ObjectMeta, Stored, StoredMeta } from '../../api/object.ts';
import type { ResourceKind } from '../../api/resource-kind.ts';

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export const timestamp = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 19)}Z`;

/** The object that `create` stores. */
export const createdObject = (kind: ResourceKind, object: ApiObject, resourceVersion: string, wallMs: number): Stored =>
  assemble(kind, object, object.status, {
    ...clientMeta(object.metadata),
    uid: randomUUID(),
    resourceVersion,
    generation: 1,
    creationTimestamp: timestamp(wallMs),
  });

/** The object that `update` stores: `status` stays, and `generation` counts changes of anything but metadata. */
export const updatedObject = (
  kind: ResourceKind,
  present: Stored,
  object: ApiObject,
  resourceVersion: string,
): Stored => {
  const { uid, generation, creationTimestamp } = present.metadata;
  const next = assemble(kind, object, present.status, {
    ...clientMeta(object.metadata),
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
  });
  if (isDeepStrictEqual({ ...next, metadata: undefined }, { ...present, metadata: undefined })) return next;
  return { ...next, metadata: { ...next.metadata, generation: generation + 1 } };
};

/** The object that `updateStatus` stores. */
export const withStatus = (
  kind: ResourceKind,
  present: Stored,
  status: ApiObject['status'],
  resourceVersion: string,
): Stored => assemble(kind, present, status, { ...present.metadata, resourceVersion });

/** Whether two objects differ in nothing but their version. */
export const sameObject = (a: Stored, b: Stored): boolean => isDeepStrictEqual(withVersion(a, ''), withVersion(b, ''));

/** The same object under another version. */
export const withVersion = (object: Stored, resourceVersion: string): Stored => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
});

/** Frozen through and through. */
export const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
};

/** What clients decide about metadata. Empty maps are dropped, so that `labels: {}` is no change. */
const clientMeta = ({ name, namespace, labels, annotations }: ObjectMeta): ObjectMeta => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  ...(labels === undefined || Object.keys(labels).length === 0 ? {} : { labels }),
  ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
});

/** Members in the order of the schema; nothing but what the kind has, and nothing undefined. */
const assemble = (kind: ResourceKind, object: ApiObject, status: unknown, metadata: StoredMeta): Stored => {
  const members = Object.keys(kind.schema)
    .map(name => [name, name === 'status' ? status : (object as unknown as Record<string, unknown>)[name]])
    .filter(([, value]) => value !== undefined);
  const whole = { apiVersion: object.apiVersion, kind: object.kind, metadata, ...Object.fromEntries(members) };
  // What is stored is JSON: members that are undefined further down would make equal objects look different.
  return JSON.parse(JSON.stringify(whole)) as Stored;
};
