import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import type { Logger } from '../../common/logger.ts';
import { type Reply, textReply } from './reply.ts';

/** What a route may look at. Header values are '' when absent. */
export interface Ask {
  readonly query: URLSearchParams;
  readonly accept: string;
}

/** GET routes answer HEAD too, and change nothing. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** One line for the index. */
  readonly about: string;
  readonly handle: (ask: Ask) => Reply | Promise<Reply>;
}

/** By path. */
export type Routes = Readonly<Record<string, Route>>;

export interface HttpServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Requests that take longer to arrive are cut off. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 100;

/** Serves a few routes to people and tools, beside the data path. Port 0: a free one. @throws the error of `listen`. */
export const serveRoutes = async (
  address: { readonly host: string; readonly port: number },
  routes: Routes,
  logger: Logger,
): Promise<HttpServer> => {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      request.resume();
      const failed = (error: unknown): Reply => {
        logger.error('A page of the admin or metrics server failed.', { path: request.url, error });
        return textReply(500, 'This page failed; the log says why.');
      };
      replyTo(request, routes, response)
        .catch(failed)
        .then(answer => send(request, response, answer))
        .catch(error => {
          logger.debug('An answer of the admin or metrics server was cut off.', { path: request.url, error });
          response.destroy();
        });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const { address: host, port } = server.address() as AddressInfo;
  return {
    host,
    port,
    [Symbol.asyncDispose]: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const replyTo = async (request: IncomingMessage, routes: Routes, response: ServerResponse): Promise<Reply> => {
  const { pathname, searchParams } = new URL(`http://admin${request.url?.startsWith('/') ? request.url : '/'}`);
  const route = Object.hasOwn(routes, pathname) ? routes[pathname] : undefined;
  if (route === undefined)
    return textReply(404, `There is nothing at ${pathname}. There is:\n${Object.keys(routes).join('\n')}`);
  const allowed = route.method === 'GET' ? ['GET', 'HEAD'] : ['POST'];
  if (!allowed.includes(request.method ?? '')) {
    response.setHeader('allow', allowed.join(', '));
    return textReply(405, `${pathname} takes ${allowed.join(' and ')}.`);
  }
  if (isFromWebPage(request)) return textReply(403, 'This server does not answer to web pages of other sites.');
  return route.handle({ query: searchParams, accept: request.headers.accept ?? '' });
};

/**
 * A browser on this machine reaches loopback too. A page elsewhere could make it POST here (then `Origin` is not ours), or have its own name
 * resolved to this address to read what is here (then `Host` is a name).
 */
const isFromWebPage = ({ headers, socket }: IncomingMessage): boolean => {
  const { host = '', origin } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return true;
  const loopback =
    socket.localAddress === '127.0.0.1' || socket.localAddress === '::1' || socket.localAddress === '::ffff:127.0.0.1';
  return loopback && host !== '' && !/^(localhost|[0-9.]+|\[[0-9a-f:.]+\])(:\d+)?$/i.test(host);
};

const send = async (
  request: IncomingMessage,
  response: ServerResponse,
  { status, contentType, body, afterwards }: Reply,
): Promise<void> => {
  response.statusCode = status;
  response.setHeader('content-type', contentType);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  if (afterwards !== undefined) response.once('close', afterwards);
  if (typeof body === 'string' || request.method === 'HEAD') {
    response.end(typeof body === 'string' ? body : undefined);
  } else if (/\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '')) {
    response.setHeader('content-encoding', 'gzip');
    await pipeline(Readable.from(body), createGzip({ level: constants.Z_BEST_SPEED }), response);
  } else {
    await pipeline(Readable.from(body), response);
  }
};
