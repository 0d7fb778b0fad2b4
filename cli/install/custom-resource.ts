import type { ResourceKind } from '../../api/resource-kind.ts';
import type { Schema } from '../../api/schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a schema of a CustomResourceDefinition may say (apiextensions/v1 JSONSchemaProps, as far as our schemas use it). */
const WORDS: ReadonlySet<string> = new Set([
  'type',
  'description',
  'required',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'default',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
]);

/**
 * A kind as a CustomResourceDefinition, its schema "structural": a cluster drops fields that it does not list, where our own API refuses them. What a
 * schema cannot say (and a cluster would need rules in CEL for) the control plane checks.
 */
export const customResource = (kind: ResourceKind): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${kind.plural}.${kind.group}`, labels: { 'app.kubernetes.io/part-of': 'outrider' } },
  spec: {
    group: kind.group,
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    names: {
      kind: kind.kind,
      listKind: `${kind.kind}List`,
      plural: kind.plural,
      singular: kind.singular,
      ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
      categories: ['outrider'],
    },
    versions: [
      {
        name: kind.version,
        served: true,
        storage: true,
        ...('status' in kind.schema ? { subresources: { status: {} } } : {}),
        schema: { openAPIV3Schema: objectSchema(kind) },
      },
    ],
  },
});

const objectSchema = (kind: ResourceKind): Json => ({
  type: 'object',
  description: kind.description,
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    ...Object.fromEntries(Object.entries(kind.schema).map(([name, schema]) => [name, structural(schema)])),
  },
  ...(kind.required.length > 0 ? { required: kind.required } : {}),
});

const structural = (schema: Schema): Json => {
  const { properties, items, additionalProperties, type } = schema;
  const isOpen = type === 'object' && properties === undefined && typeof additionalProperties !== 'object';
  return {
    ...Object.fromEntries(Object.entries(schema).filter(([word]) => WORDS.has(word))),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, structural(each)])) }),
    ...(items === undefined ? {} : { items: structural(items) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: structural(additionalProperties) } : {}),
    ...(isOpen ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
  };
};
