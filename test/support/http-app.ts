/**
 * An ordinary `node:http` server, as a user's app: what each path does is listed in `handlers`. It counts what reaches it, which is
 * how a test knows that an answer came from the app and not from a proxy.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';

export interface HttpApp extends AsyncDisposable {
  readonly port: number;
  readonly server: Server;
  /** Requests whose head arrived, by path without query. */
  readonly seen: Map<string, number>;
  /** Requests whose connection or stream went away before our answer was complete. */
  aborted: number;
  /** Requests being handled now. */
  active: number;
  /** Body bytes received. */
  receivedBytes: number;
}

type Handler = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => Promise<void> | void;

/** Byte `i` of every generated body is `i % 251`: a lost or repeated piece shows. */
export const patternBytes = (length: number, from = 0): Buffer => {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (from + i) % 251;
  return bytes;
};

const PIECE = 65_536;
const PATTERN = patternBytes(PIECE + 251);

/** The same bytes in pieces of at most 64 KiB, without copying. */
function* patternPieces(length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += PIECE)
    yield PATTERN.subarray(at % 251, (at % 251) + Math.min(PIECE, length - at));
}

const json = (response: ServerResponse, value: unknown): void => {
  const body = JSON.stringify(value);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
};

/** `n` bytes, in pieces, at the speed of the reader; `chunked=1` leaves out Content-Length. */
const sendBytes: Handler = async (_request, response, query) => {
  const length = Number(query.get('n') ?? '0');
  response.writeHead(200, query.has('chunked') ? {} : { 'content-length': length });
  await pipeline(patternPieces(length), response).catch(() => undefined);
};

const handlers: Readonly<Record<string, Handler>> = {
  '/': (_request, response) => json(response, { hello: 'world' }),
  '/headers': (request, response) =>
    json(response, { version: request.httpVersion, method: request.method, url: request.url, raw: request.rawHeaders }),
  '/bytes': sendBytes,
  '/echo': (request, response) => {
    response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' });
    request.pipe(response);
  },
  '/count': async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    json(response, { bytes, trailers: request.trailers });
  },
  '/slow': async (_request, response, query) => {
    await pause(Number(query.get('ms') ?? '100'));
    json(response, { slept: query.get('ms') });
  },
  '/status': (_request, response, query) => {
    const status = Number(query.get('code') ?? '200');
    const bodyless = status === 204 || status === 304;
    response.writeHead(status, bodyless ? { etag: '"x"' } : { 'content-length': 3 });
    response.end(bodyless ? undefined : 'abc');
  },
  '/empty': (_request, response) => {
    response.writeHead(200, { 'content-length': '0' });
    response.end();
  },
  '/early-hints': (_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    json(response, { hints: 'sent' });
  },
  '/trailers': (_request, response) => {
    response.writeHead(200, { trailer: 'x-checksum, x-second' });
    response.write('first ');
    response.addTrailers({ 'x-checksum': 'abc123', 'x-second': '2' });
    response.end('second');
  },
  /** Never answers; the test watches `active` and `aborted`. */
  '/hang': request => {
    request.resume();
  },
  /** Half an answer, then a reset. */
  '/break': async (_request, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write(Buffer.alloc(500));
    await pause(20);
    response.socket?.resetAndDestroy();
  },
  /** A reset instead of an answer. */
  '/reset': (request, response) => {
    request.resume();
    response.socket?.resetAndDestroy();
  },
};

/** Starts the app on a free port of 127.0.0.1. */
export const startHttpApp = async (): Promise<HttpApp> => {
  const server = createServer({ keepAliveTimeout: 60_000 });
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://app');
    app.seen.set(url.pathname, (app.seen.get(url.pathname) ?? 0) + 1);
    app.active++;
    request.on('data', (chunk: Buffer) => {
      app.receivedBytes += chunk.length;
    });
    request.pause();
    response.once('close', () => {
      app.active--;
      if (!response.writableFinished) app.aborted++;
    });
    const handler = handlers[url.pathname];
    if (handler) void handler(request, response, url.searchParams);
    else response.writeHead(404, { 'content-length': 10 }).end('not found\n');
  };
  server.on('request', handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const app: HttpApp = {
    port: (server.address() as AddressInfo).port,
    server,
    seen: new Map(),
    aborted: 0,
    active: 0,
    receivedBytes: 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return app;
};
