/** What the control plane knows about one kind of resource. One constant of this type per kind, beside the kind's own types. */

import type { ApiObject } from './object.ts';
import type { Schema } from './schema.ts';

/** One wrong field. Kubernetes meta/v1 StatusCause. */
export interface Cause {
  /** `spec.rules[0].backendRefs[0].weight` */
  readonly field: string;
  /** What would be right: "must be …". */
  readonly message: string;
  readonly reason: CauseReason;
}

export type CauseReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueNotFound'
  | 'FieldValueForbidden'
  | 'FieldValueTypeInvalid';

/** A column of `kubectl get`. */
export interface Column<T> {
  readonly name: string;
  readonly description: string;
  /** 0: always shown; 1: with `-o wide`. */
  readonly priority: 0 | 1;
  cell(object: T): string | number;
}

export interface ResourceKind<T extends ApiObject = ApiObject> {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** False: only the control plane writes it. */
  readonly writable: boolean;
  /** What it is for, one sentence. */
  readonly description: string;
  /** Of the members beside apiVersion, kind and metadata: `spec` and `status` on most kinds. */
  readonly schema: Readonly<Record<string, Schema>>;
  /** Members of `schema` that must be there. */
  readonly required: readonly string[];
  /** What a new object begins with. */
  readonly initialStatus?: T['status'];
  /** After `name`, before `age`. */
  readonly columns: readonly Column<T>[];
  /** What a schema cannot say, about an object that fits it. Sees the defaults. */
  check?(object: T): readonly Cause[];
  /** Sentences for `Warning` headers, about an object that is valid. */
  warn?(object: T): readonly string[];
}

/** `gateway.networking.k8s.io/v1`, `v1` for the core group. */
export const apiVersionOf = (kind: Pick<ResourceKind, 'group' | 'version'>): string =>
  kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;

/** `httproutes.gateway.networking.k8s.io`, `services`: how messages name a kind. */
export const qualifiedName = (kind: ResourceKind): string =>
  kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
