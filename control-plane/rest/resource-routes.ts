/** The routes of every kind: collections, objects, and their status. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Stored } from '../../api/object.ts';
import { apiVersionOf, type ResourceKind } from '../../api/resource-kind.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { mediaType, parseBody, readDeleteOptions, readObject } from './read-body.ts';
import { countParameter, flagParameter, isDryRun, parameter, type Query, writeOptions } from './request-options.ts';
import type { Part, PatchType, ResourceWriter, Written } from './resource-writer.ts';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';
import { ApiError, notFound, success } from './status.ts';
import { type RowObject, tableOf, wantsTable } from './table.ts';
import type { WatchStreams } from './watch-stream.ts';

export interface ResourceRouteOwners {
  readonly store: ResourceStore;
  readonly writer: ResourceWriter;
  readonly watches: WatchStreams;
  readonly clock: Clock;
  readonly random: Random;
}

interface PathParameters {
  readonly namespace?: string;
  readonly name?: string;
}

/** Half an hour and up to as much again, so that watches do not all come back at once. */
const WATCH_TIMEOUT_MS = 30 * 60_000;

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

/** `/apis/gateway.networking.k8s.io/v1`, `/api/v1`. */
export const groupPath = (kind: Pick<ResourceKind, 'group' | 'version'>): string =>
  kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;

export const addResourceRoutes = (app: FastifyInstance, kind: ResourceKind, owners: ResourceRouteOwners): void => {
  const { store, writer } = owners;
  const collection = kind.namespaced
    ? `${groupPath(kind)}/namespaces/:namespace/${kind.plural}`
    : `${groupPath(kind)}/${kind.plural}`;
  const item = `${collection}/:name`;
  const read = (request: FastifyRequest, reply: FastifyReply) => listOrWatch(kind, owners, request, reply);
  const target = (request: FastifyRequest) => {
    const { namespace = '', name = '' } = request.params as PathParameters;
    return { kind, namespace, name };
  };
  const get = async (request: FastifyRequest, reply: FastifyReply) => {
    const { namespace, name } = target(request);
    const object = await store.get(kind, namespace, name);
    if (object === undefined) throw notFound(kind, name);
    return reply.send(render(kind, owners.clock, request)([object], object.metadata.resourceVersion));
  };
  const replace = (part: Part) => async (request: FastifyRequest, reply: FastifyReply) => {
    const body = readObject(request.body, request.headers['content-type']);
    return answer(reply, 200, await writer.replace(target(request), part, body, writeOptions(request.query as Query)));
  };
  const patch = (part: Part) => async (request: FastifyRequest, reply: FastifyReply) => {
    const type = mediaType(request.headers['content-type']);
    const patchType = patchTypeOf(kind, type);
    const body = parseBody(request.body, type);
    return answer(
      reply,
      200,
      await writer.patch(target(request), part, patchType, body, writeOptions(request.query as Query)),
    );
  };

  app.get(collection, read);
  if (kind.namespaced) app.get(`${groupPath(kind)}/${kind.plural}`, read);
  app.get(item, get);
  if ('status' in kind.schema) app.get(`${item}/status`, get);
  if (!kind.writable) return;
  app.post(collection, async (request, reply) => {
    const body = readObject(request.body, request.headers['content-type']);
    return answer(
      reply,
      201,
      await writer.create(kind, target(request).namespace, body, writeOptions(request.query as Query)),
    );
  });
  app.put(item, replace('object'));
  app.patch(item, patch('object'));
  app.delete(item, async (request, reply) => {
    const { dryRun, ...preconditions } = readDeleteOptions(request.body, request.headers['content-type']);
    const query = request.query as Query;
    const { metadata } = await writer.remove(target(request), preconditions, dryRun || isDryRun(query));
    return reply.send(success(kind, metadata.name, metadata.uid));
  });
  if (!('status' in kind.schema)) return;
  app.put(`${item}/status`, replace('status'));
  app.patch(`${item}/status`, patch('status'));
};

const answer = (reply: FastifyReply, code: number, { object, warnings }: Written): FastifyReply => {
  if (warnings.length > 0) reply.header('warning', warnings.map(formatWarning));
  return reply.code(code).send(object);
};

/** RFC 7234 §5.5, code 299: the text is a quoted string. */
const formatWarning = (text: string): string => {
  const printable = text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&');
  return `299 - "${printable}"`;
};

const patchTypeOf = (kind: ResourceKind, type: string): PatchType => {
  const patchType = PATCH_TYPES[type];
  const known = Object.keys(PATCH_TYPES).filter(each => kind.group === '' || PATCH_TYPES[each] !== 'strategic');
  if (patchType === undefined || !known.includes(type))
    throw new ApiError(
      'UnsupportedMediaType',
      `the Content-Type of a patch must be one of ${known.join(', ')}, not ${type || 'absent'}`,
    );
  return patchType;
};

/** How this request wants objects: themselves, or as a table. */
const render = (kind: ResourceKind, clock: Clock, request: FastifyRequest) => {
  if (!wantsTable(request.headers.accept)) return (objects: readonly Stored[]): object => objects[0]!;
  const rowObject = (parameter(request.query as Query, 'includeObject') ?? 'Metadata') as RowObject;
  return (objects: readonly Stored[], resourceVersion: string): object =>
    tableOf(kind, objects, { resourceVersion }, rowObject, clock.wallMs());
};

const listOrWatch = async (
  kind: ResourceKind,
  { store, watches, clock, random }: ResourceRouteOwners,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> => {
  const query = request.query as Query;
  const fields = parseFieldSelector(parameter(query, 'fieldSelector'));
  const { namespace = fields.namespace } = request.params as PathParameters;
  const filter = { namespace, name: fields.name, labels: parseLabelSelector(parameter(query, 'labelSelector')) };
  if (flagParameter(query, 'watch')) {
    const version = parameter(query, 'resourceVersion');
    const initial = parameter(query, 'sendInitialEvents') === 'true';
    const timeoutSeconds = countParameter(query, 'timeoutSeconds');
    await watches.serve(
      {
        kind,
        query: { kind, ...filter },
        fromVersion: initial || version === undefined || version === '' || version === '0' ? undefined : version,
        bookmarks: flagParameter(query, 'allowWatchBookmarks'),
        markInitialEnd: initial,
        timeoutMs: timeoutSeconds === undefined ? WATCH_TIMEOUT_MS * (1 + random()) : timeoutSeconds * 1_000,
        render: render(kind, clock, request),
      },
      reply.raw,
    );
    return reply.hijack();
  }
  const limit = countParameter(query, 'limit');
  const list = await store.list(kind, { ...filter, limit, continueToken: parameter(query, 'continue') || undefined });
  const metadata = {
    resourceVersion: list.resourceVersion,
    ...(list.continueToken === '' ? {} : { continue: list.continueToken }),
  };
  if (!wantsTable(request.headers.accept))
    return reply.send({ kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata, items: list.items });
  const rowObject = (parameter(query, 'includeObject') ?? 'Metadata') as RowObject;
  return reply.send(tableOf(kind, list.items, metadata, rowObject, clock.wallMs()));
};
