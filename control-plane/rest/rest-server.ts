/** The REST API, over TLS: the Kubernetes API conventions for our kinds. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import type { BaseLogger } from 'pino';
import { KINDS } from '../../api/kinds.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { createAuthenticator } from './authenticate.ts';
import { addDiscoveryRoutes } from './discovery-routes.ts';
import { addDocsRoutes } from './docs-routes.ts';
import { addOpenApiRoutes } from './openapi-routes.ts';
import { MAX_BODY_BYTES } from './read-body.ts';
import { addResourceRoutes } from './resource-routes.ts';
import { ResourceWriter } from './resource-writer.ts';
import { ApiError, statusOf } from './status.ts';
import { addTokenRoute, type IssueToken } from './token-route.ts';
import { WatchStreams } from './watch-stream.ts';

/** PEM: a chain from the mesh CA, and its key. */
export interface RestCredentials {
  readonly cert: string;
  readonly key: string;
}

export interface RestServerOptions {
  readonly store: ResourceStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: BaseLogger;
  readonly credentials: RestCredentials;
  readonly adminToken: string;
  readonly issueToken: IssueToken;
  /** What `/readyz` says. */
  readonly isReady: () => boolean;
  readonly release: string;
}

/** Paths that tell nothing about this mesh. */
const OPEN_PATHS = /^\/(healthz|livez|readyz|docs(\/.*)?)$/;

/** Owned by the control plane; lives as long as it. */
export class RestServer {
  readonly #app: FastifyInstance;
  readonly #watches: WatchStreams;
  readonly #secure: { setSecureContext(credentials: RestCredentials): void };

  constructor(options: RestServerOptions) {
    this.#watches = new WatchStreams(options.store, options.clock);
    const { app, secure } = createApp(options, this.#watches);
    this.#app = app;
    this.#secure = secure;
  }

  /** `port` 0: a free one. Gives the address that it listens on. */
  async listen(host: string, port: number): Promise<AddressInfo> {
    await this.#app.listen({ host, port });
    return this.#app.server.address() as AddressInfo;
  }

  /** For connections from now on. */
  renew(credentials: RestCredentials): void {
    this.#secure.setSecureContext({ ...credentials });
  }

  /** Ends watches, lets requests finish. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watches.close();
    await this.#app.close();
  }
}

const createApp = (options: RestServerOptions, watches: WatchStreams) => {
  const { store, clock, random, log } = options;
  const https = fastify({
    https: { cert: options.credentials.cert, key: options.credentials.key, minVersion: 'TLSv1.2' },
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 60_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, _request, reply) => {
      reply.raw.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(statusOf(error)));
    },
  });
  const secure = https.server;
  // The routes neither know nor care that this is TLS.
  const app = https as unknown as FastifyInstance<Server, IncomingMessage, ServerResponse>;
  const authenticate = createAuthenticator(options.adminToken);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', async (request, reply) => {
    if (OPEN_PATHS.test(request.url.split('?')[0] ?? '')) return;
    try {
      authenticate(request.headers.authorization);
    } catch (error) {
      reply.header('www-authenticate', 'Bearer realm="outrider"');
      throw error;
    }
  });
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    if (status.code >= 500) log.error({ err: error, method: request.method, url: request.url }, 'request failed');
    // What is left of a body that was refused is not read: the connection cannot carry another request.
    if (status.code === 413) reply.header('connection', 'close');
    return reply.code(status.code).send(status);
  });
  app.setNotFoundHandler(() => {
    throw new ApiError(
      'NotFound',
      'the server could not find the requested resource: /api and /apis list what there is',
    );
  });
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const each of [method].flat()) known.add(each);
    methods.set(url, known);
  });

  const owners = { store, writer: new ResourceWriter(store, clock, random), watches, clock, random };
  for (const kind of KINDS) addResourceRoutes(app, kind, owners);
  addTokenRoute(app, options.issueToken);
  addDiscoveryRoutes(app, KINDS, options.release);
  addOpenApiRoutes(app, KINDS, options.release);
  addDocsRoutes(app, KINDS);
  for (const path of ['/healthz', '/livez']) app.get(path, (_request, reply) => reply.type('text/plain').send('ok'));
  app.get('/readyz', (_request, reply) =>
    options.isReady() ? reply.type('text/plain').send('ok') : reply.code(503).type('text/plain').send('not ready'),
  );
  refuseOtherMethods(app, methods);
  return { app, secure };
};

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Paths that are there answer 405 to what they cannot do, and not 404. */
const refuseOtherMethods = (app: FastifyInstance, known: ReadonlyMap<string, ReadonlySet<string>>): void => {
  for (const [url, there] of known) {
    const others = METHODS.filter(method => !there.has(method));
    const allow = [...there].join(', ');
    app.route({
      url,
      method: others,
      handler: (request, reply) => {
        reply.header('allow', allow);
        throw new ApiError('MethodNotAllowed', `${request.method} is not possible here, only ${allow}`);
      },
    });
  }
};
