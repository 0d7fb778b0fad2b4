/** `/openapi/v2`, and `/openapi/v3` with one document for each group. Made when first asked for. */

import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ResourceKind } from '../../api/resource-kind.ts';
import { openApiDocument } from './openapi-document.ts';
import { groupPath } from './resource-routes.ts';
import { ApiError } from './status.ts';

export const addOpenApiRoutes = (app: FastifyInstance, kinds: readonly ResourceKind[], release: string): void => {
  const texts = new Map<string, string>();
  const remember = (key: string, make: () => object): string => {
    const text = texts.get(key) ?? JSON.stringify(make());
    texts.set(key, text);
    return text;
  };
  const group = (path: string) =>
    remember(path, () =>
      openApiDocument(
        'v3',
        kinds.filter(kind => groupPath(kind) === path),
        release,
      ),
    );

  app.get('/openapi/v2', (request, reply) => {
    const accept = request.headers.accept ?? '*/*';
    if (!/json|\*\/\*|application\/\*/.test(accept))
      throw new ApiError('NotAcceptable', '/openapi/v2 is JSON here; ask for application/json, or for /openapi/v3');
    return reply.type('application/json').send(remember('v2', () => openApiDocument('v2', kinds, release)));
  });
  app.get('/openapi/v3', () => ({
    paths: Object.fromEntries(
      [...new Set(kinds.map(groupPath))].map(path => {
        const hash = createHash('sha256').update(group(path)).digest('hex').slice(0, 32);
        return [path.slice(1), { serverRelativeURL: `/openapi/v3${path}?hash=${hash}` }];
      }),
    ),
  }));
  for (const path of new Set(kinds.map(groupPath)))
    app.get(`/openapi/v3${path}`, (_request, reply) => reply.type('application/json').send(group(path)));
};
