/** REST as any Node program does it: `node:http` to serve, `fetch` to call, which follows `HTTP_PROXY` by itself. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly body: object;
}

/** Serves JSON on 127.0.0.1; an error becomes 500. */
export const serveHttp = (port: number, handle: (method: string, path: string) => Promise<Reply> | Reply): void => {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let reply: Reply;
    try {
      reply = await handle(request.method ?? 'GET', request.url ?? '/');
    } catch (error) {
      reply = { status: 500, body: { error: String(error) } };
    }
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
  };
  const server = createServer((request, response) => {
    request.resume();
    void answer(request, response);
  });
  server.listen(port, '127.0.0.1');
  process.once('SIGTERM', () => server.close(() => process.exit(0)));
};

/** The answer of another service as an object. @throws when it is no success. */
export const call = async (method: string, url: string): Promise<object> => {
  const answer = await fetch(url, { method, signal: AbortSignal.timeout(5_000) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text.trim()}`);
  return JSON.parse(text) as object;
};
