/** What all resources have in common: the shape of an object, its metadata and its conditions, as in the Kubernetes API. */

import type { Cause } from './resource-kind.ts';
import { integer, labelName, list, map, object, required, type Schema, subdomain, text } from './schema.ts';

export interface ObjectMeta {
  readonly name: string;
  /** Absent on cluster-scoped objects. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
}

/** Metadata of an object that is in the store. */
export interface StoredMeta extends ObjectMeta {
  /** RFC 9562 UUID; another object of the same name has another one. */
  readonly uid: string;
  /** A decimal number that grows with every write to the store; opaque to clients. */
  readonly resourceVersion: string;
  /** Counts the changes of `spec`, from 1. */
  readonly generation: number;
  /** RFC 3339, whole seconds, UTC. */
  readonly creationTimestamp: string;
}

export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
  readonly status?: unknown;
}

export type Stored<T extends ApiObject = ApiObject> = Omit<T, 'metadata'> & { readonly metadata: StoredMeta };

/** Kubernetes meta/v1 Condition. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** One CamelCase word. */
  readonly reason: string;
  readonly message: string;
  /** RFC 3339; when `status` last changed. */
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** A label's value. */
export const LABEL_VALUE: Schema = text('', {
  maxLength: 63,
  pattern: '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$',
  'x-outrider-expects':
    'empty, or at most 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit',
});

/** A label's or annotation's name. */
export const LABEL_KEY: Schema = text('', {
  maxLength: 317,
  pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$',
  'x-outrider-expects': 'a label name such as "app" or "example.com/app"',
});

/** Labels that an object must have: every one, with that value. */
export const labelMap = (description: string, more: Schema = {}): Schema =>
  map(description, LABEL_VALUE, { propertyNames: LABEL_KEY, ...more });

export const METADATA_SCHEMA: Schema = object('Name, labels and what the server keeps about the object.', {
  name: required(subdomain('The name, unique for its kind within the namespace.')),
  generateName: text('A prefix: the server appends five random characters to make `metadata.name`.'),
  namespace: labelName('The namespace. Absent on cluster-scoped kinds.'),
  labels: labelMap('Names and values that selectors match.'),
  annotations: map('Free text for tools and people.', text(''), { propertyNames: LABEL_KEY }),
  uid: text('Set by the server: tells this object from earlier and later ones of the same name.'),
  resourceVersion: text(
    'Set by the server, changes with every write. Sent back with a PUT, it refuses the write if someone else wrote meanwhile (409).',
  ),
  generation: integer('Set by the server: counts the changes of `spec`.', 0, Number.MAX_SAFE_INTEGER),
  creationTimestamp: text('Set by the server: RFC 3339.'),
  deletionTimestamp: text('Never set: deletion is immediate.'),
  deletionGracePeriodSeconds: integer('Never set: deletion is immediate.', 0, Number.MAX_SAFE_INTEGER),
  selfLink: text('Never set.'),
  managedFields: list('Accepted and dropped: server-side apply is not offered.', {
    type: 'object',
    additionalProperties: true,
  }),
  finalizers: list('Accepted and dropped, with a warning: deletion is immediate.', text(''), {
    'x-outrider-ignored': 'deletion is immediate',
  }),
  ownerReferences: list(
    'Accepted and dropped, with a warning: objects do not own each other.',
    {
      type: 'object',
      additionalProperties: true,
    },
    { 'x-outrider-ignored': 'objects do not own each other' },
  ),
});

/** `check` for kinds whose name is one part of a DNS name, so that `service.namespace` has one meaning. */
export const checkNameIsLabel = ({ name }: ObjectMeta): Cause[] =>
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)
    ? []
    : [
        {
          field: 'metadata.name',
          message: 'must be at most 63 lower-case letters, digits and "-", beginning and ending with a letter or digit',
          reason: 'FieldValueInvalid',
        },
      ];

const CONDITION_SCHEMA: Schema = object('One statement about the object.', {
  type: required(text('What the statement is about, as one CamelCase word.')),
  status: required(text('`True`, `False` or `Unknown`.', { enum: ['True', 'False', 'Unknown'] })),
  reason: required(text('Why, as one CamelCase word.')),
  message: required(text('Why, as a sentence.')),
  lastTransitionTime: required(text('RFC 3339: when `status` last changed.')),
  observedGeneration: integer('The `metadata.generation` that was looked at.', 0, Number.MAX_SAFE_INTEGER),
});

export const conditions = (description: string): Schema =>
  list(description, CONDITION_SCHEMA, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });
