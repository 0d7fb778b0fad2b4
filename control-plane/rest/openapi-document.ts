/** The kinds as OpenAPI, for `kubectl explain`, its validation, and client generators. */

import { objectSchema } from '../../api/admission.ts';
import { apiVersionOf, type ResourceKind } from '../../api/resource-kind.ts';
import { object, type Schema, text } from '../../api/schema.ts';
import { groupPath } from './resource-routes.ts';

type Json = Readonly<Record<string, unknown>>;

/** Swagger 2.0, or OpenAPI 3.0. */
export type OpenApiVersion = 'v2' | 'v3';

/** `io.k8s.gateway.v1.HTTPRoute`-like: a name for the schema of a kind. */
const schemaName = (kind: ResourceKind): string =>
  `${(kind.group || 'core').split('.').toReversed().join('.')}.${kind.version}.${kind.kind}`;

const LIST_META = object('', { resourceVersion: text('Watch from here.'), continue: text('The token for the rest.') });

/** A document about these kinds. */
export const openApiDocument = (version: OpenApiVersion, kinds: readonly ResourceKind[], release: string): Json => {
  const schemas = Object.fromEntries(
    kinds.flatMap(kind => [
      [schemaName(kind), { ...forOpenApi(objectSchema(kind)), ...groupVersionKind([kind, kind.kind]) }],
      [`${schemaName(kind)}List`, listSchema(version, kind)],
    ]),
  );
  const paths = Object.fromEntries(kinds.flatMap(kind => Object.entries(pathsOf(version, kind))));
  const info = { title: 'Outrider control plane', version: release };
  return version === 'v2'
    ? { swagger: '2.0', info, paths, definitions: schemas }
    : { openapi: '3.0.0', info, paths, components: { schemas } };
};

const reference = (version: OpenApiVersion, name: string): Json => ({
  $ref: version === 'v2' ? `#/definitions/${name}` : `#/components/schemas/${name}`,
});

const groupVersionKind = (...kinds: readonly (readonly [ResourceKind, string])[]): Json => ({
  'x-kubernetes-group-version-kind': kinds.map(([{ group, version }, kind]) => ({ group, version, kind })),
});

const listSchema = (version: OpenApiVersion, kind: ResourceKind): Json => ({
  type: 'object',
  description: `A list of ${kind.kind} objects.`,
  required: ['items'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: forOpenApi(LIST_META),
    items: { type: 'array', items: reference(version, schemaName(kind)) },
  },
  ...groupVersionKind([kind, `${kind.kind}List`]),
});

/** Without our own words, and without what OpenAPI 3.0 does not know. */
const forOpenApi = (schema: Schema): Json => {
  const { propertyNames: _, properties, items, additionalProperties, ...rest } = schema;
  const plain = Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('x-outrider-')));
  return {
    ...plain,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, forOpenApi(inner)])),
        }),
    ...(items === undefined ? {} : { items: forOpenApi(items) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: forOpenApi(additionalProperties) } : {}),
  };
};

const OBJECT_TYPES = ['application/json', 'application/yaml'];

const PATCH_TYPES = ['application/json-patch+json', 'application/merge-patch+json'];

const pathsOf = (version: OpenApiVersion, kind: ResourceKind): Json => {
  const collection = `${groupPath(kind)}/${kind.namespaced ? 'namespaces/{namespace}/' : ''}${kind.plural}`;
  const operation = operationMaker(version, kind);
  const writes = kind.writable;
  return {
    [collection]: {
      parameters: pathParameters(version, kind.namespaced ? ['namespace'] : []),
      get: operation('list', 'List', [...LIST_QUERY]),
      ...(writes ? { post: operation('post', '', WRITE_QUERY, OBJECT_TYPES) } : {}),
    },
    ...(kind.namespaced
      ? { [`${groupPath(kind)}/${kind.plural}`]: { get: operation('listForAllNamespaces', 'List', [...LIST_QUERY]) } }
      : {}),
    [`${collection}/{name}`]: {
      parameters: pathParameters(version, kind.namespaced ? ['namespace', 'name'] : ['name']),
      get: operation('read', '', []),
      ...(writes
        ? {
            put: operation('replace', '', WRITE_QUERY, OBJECT_TYPES),
            patch: operation('patch', '', WRITE_QUERY, [
              ...PATCH_TYPES,
              ...(kind.group === '' ? ['application/strategic-merge-patch+json'] : []),
            ]),
            delete: operation('delete', '', ['dryRun']),
          }
        : {}),
    },
  };
};

const LIST_QUERY = [
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'watch',
  'resourceVersion',
  'allowWatchBookmarks',
  'timeoutSeconds',
];
/** kubectl looks here whether the server validates fields by itself. */
const WRITE_QUERY = ['dryRun', 'fieldValidation'];

const ACTIONS: Json = {
  list: 'list',
  listForAllNamespaces: 'list',
  post: 'post',
  read: 'get',
  replace: 'put',
  patch: 'patch',
  delete: 'delete',
};

const operationMaker =
  (version: OpenApiVersion, kind: ResourceKind) =>
  (action: string, suffix: string, query: readonly string[], bodyTypes?: readonly string[]): Json => {
    const answer = reference(version, `${schemaName(kind)}${suffix}`);
    // A patch is anything: its result is what has the schema.
    const body: Json = action === 'patch' ? { type: 'object' } : reference(version, schemaName(kind));
    const parameters = query.map(name =>
      parameterOf(
        version,
        name,
        'query',
        name === 'watch' || name === 'allowWatchBookmarks'
          ? 'boolean'
          : name === 'limit' || name === 'timeoutSeconds'
            ? 'integer'
            : 'string',
      ),
    );
    return {
      operationId: `${action}${schemaName(kind).replaceAll('.', '_')}`,
      description: `${action} ${apiVersionOf(kind)} ${kind.kind}`,
      'x-kubernetes-action': ACTIONS[action],
      'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
      ...(version === 'v2'
        ? {
            parameters: [
              ...parameters,
              ...(bodyTypes === undefined ? [] : [{ name: 'body', in: 'body', required: true, schema: body }]),
            ],
            ...(bodyTypes === undefined ? {} : { consumes: bodyTypes }),
            produces: ['application/json'],
            responses: { 200: { description: 'OK', schema: answer } },
          }
        : {
            parameters,
            ...(bodyTypes === undefined
              ? {}
              : {
                  requestBody: {
                    required: true,
                    content: Object.fromEntries(bodyTypes.map(type => [type, { schema: body }])),
                  },
                }),
            responses: { 200: { description: 'OK', content: { 'application/json': { schema: answer } } } },
          }),
    };
  };

const parameterOf = (version: OpenApiVersion, name: string, place: 'query' | 'path', type: string): Json => ({
  name,
  in: place,
  ...(place === 'path' ? { required: true } : {}),
  ...(version === 'v2' ? { type } : { schema: { type } }),
});

const pathParameters = (version: OpenApiVersion, names: readonly string[]): Json[] =>
  names.map(name => parameterOf(version, name, 'path', 'string'));
